import type { MapPart } from './mapped.ts';

/** Types of modules that a part maps. */
const MAPPED = new Set(['function', 'webtrigger', 'scheduledTrigger', 'consumer', 'trigger']);

/** Of modules that name no product: why there is nothing behind them. */
const REASONS: Readonly<Record<string, string>> = {
  sql: 'there is no SQL database per installation; use storage',
  objectStore: 'there is no object store',
  llm: 'there is no language model behind this host',
  endpoint: 'a remote is not called in the place of a function',
  apiRoute: 'functions answer web triggers, no REST routes of their own',
  event: 'an App sends no events to other Apps',
  action: 'nothing offers actions to agents',
  preUninstall: 'nothing is called before an uninstall; data is kept for a while after it',
  migration: 'nothing is migrated from another host',
  workflow: 'there is no such module here',
  fifoConsumer: 'queues keep no order',
  macro: 'pages of products have no counterpart here',
};

const SECTIONS: Readonly<Record<string, string>> = {
  resources: 'front ends are served by no one here',
  translations: 'there is no front end to translate',
  connectModules: 'register the descriptor as an App instead',
  services: 'containers are not run here',
  overrides: 'an environment has its own deployment instead',
};

/** What is left: named, not refused. */
export const mapInert: MapPart = ({ manifest, report }) => {
  for (const [type, modules] of Object.entries(manifest.modules ?? {})) {
    if (MAPPED.has(type)) continue;
    const list = Array.isArray(modules) ? modules : [modules];
    list.forEach((each: unknown, place) => {
      const key = typeof each === 'object' && each !== null && 'key' in each ? String(each.key) : '';
      const why =
        REASONS[type] ?? (type.includes(':') ? 'there is no such product behind this host' : 'this host knows no module of this type');
      report.inert(['modules', type, ...(Array.isArray(modules) ? [place] : [])], `${type} ${key}`.trim(), why);
    });
  }
  for (const [section, why] of Object.entries(SECTIONS)) if (section in manifest) report.inert([section], section, why);
};
