import { watch } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeInReverse } from '@bulkhead/server';
import { type DevWorld, startDevWorld } from './dev-world.ts';
import { readFunctionSource } from './function-source.ts';
import { printable } from './printable.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export interface DevelopOptions {
  readonly applications: string;
  readonly port?: string;
  readonly inspect?: string;
}

interface LogPage {
  readonly cursor: string;
  readonly objects: readonly {
    readonly function: string;
    readonly version: number;
    readonly outcome: string;
    readonly duration_ms: number;
    readonly lines: readonly { readonly level: string; readonly message: string }[];
    readonly lines_dropped: number;
  }[];
}
interface Invocation {
  readonly outcome: { readonly kind: string; readonly value?: unknown } & Readonly<Record<string, unknown>>;
}

/** Production has no debugger: it listens for nothing else. */
const ENVIRONMENT = 'development';
const SETTLE_MS = 150;
const LOGS_EVERY_MS = 300;

/** Runs the functions of a folder with a server of their own, and again after each change, until Ctrl-C. */
export async function developFunctions(folder: string, { applications, port = '0', inspect }: DevelopOptions): Promise<void> {
  if (!/^[1-9]$/.test(applications)) throw new UsageError('--applications: expected a number from 1 to 9.');
  const inspectPort = inspect === undefined ? null : portOf(inspect);
  const root = resolve(folder);
  const { manifest } = await readFunctionSource(root, {});
  const closing: (() => Promise<void>)[] = [];
  try {
    const parts = { appKey: manifest.app, applications: Number(applications), port, inspectPort };
    await untilStopped(async (stopped) => {
      const world = await startDevWorld(parts, closing);
      const deploy = deployer(root, manifest.app, world);
      await deploy();
      const watcher = watch(root, { recursive: true, signal: stopped });
      watcher.on('error', () => undefined);
      let settling: NodeJS.Timeout | undefined;
      watcher.on('change', (_, name) => {
        if (/(^|[/\\])(node_modules|\.[^/\\]+)([/\\]|$)/.test(String(name))) return;
        clearTimeout(settling);
        settling = setTimeout(() => void deploy(), SETTLE_MS);
      });
      say(introduction(manifest.app, world));
      const calls = createInterface({ input: process.stdin });
      calls.on('line', caller(manifest.app, world));
      await Promise.all(world.applicationIds.map((_, index) => followLogs(manifest.app, world, index, stopped)));
      clearTimeout(settling);
      calls.close();
    });
  } finally {
    process.stdin.pause();
    await closeInReverse(closing);
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1_024 && port <= 65_000) return port;
  throw new UsageError('--inspect: expected a port from 1024 to 65000.');
}

function introduction(appKey: string, { url, metaToken, applicationIds }: DevWorld): string {
  const numbered = applicationIds.map((id, index) => `  ${index + 1}  ${id}`).join('\n');
  return `
The functions of ${appKey} run in ${ENVIRONMENT}, for:
${numbered}
From another terminal, as long as this runs:
  export API=${url} META_TOKEN=${metaToken}
A line calls: FUNCTION [JSON], for another than the first with its number before. Enter calls again, Ctrl-C ends.
ready ${url}`;
}

/** Bundles and deploys what has changed, and approves it for everybody. What is wrong is said; what ran before goes on. */
function deployer(root: string, appKey: string, { meta, applicationIds }: DevWorld): () => Promise<void> {
  let last = '';
  const deployNow = async (): Promise<void> => {
    try {
      const { manifest, report, bundle } = await readFunctionSource(root, {});
      if (manifest.app !== appKey) throw new UsageError(`The manifest is of another App now (${manifest.app}): start again.`);
      const code = await bundle();
      const all = JSON.stringify([manifest, code]);
      if (all === last) return;
      for (const line of report) say(line);
      const body = { environment: ENVIRONMENT, manifest, code };
      const { version, functions } = await meta<{ version: number; functions: string[] }>('POST', `/apps/${appKey}/deployments`, body);
      for (const id of applicationIds) {
        const path = `/applications/${id}/installs/${appKey}/environments/${ENVIRONMENT}`;
        const { requested } = await meta<{ requested: string[] }>('GET', path);
        await meta('PUT', path, { permissions: requested });
      }
      last = all;
      say(`Deployed: version ${version} (${functions.join(', ')}; ${code.length} characters)`);
    } catch (thrown) {
      say(`Not deployed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  };
  let under = Promise.resolve();
  return () => (under = under.then(deployNow));
}

/** Calls what a line says, or what the last one said. */
function caller(appKey: string, { meta, applicationIds }: DevWorld): (line: string) => void {
  let last = '';
  const call = async (line: string): Promise<void> => {
    const [, number = '1', name = '', payload = 'null'] = /^(?:([1-9])\s+)?(\S+)(?:\s+(.+))?$/s.exec(line) ?? [];
    const id = applicationIds[Number(number) - 1];
    if (id === undefined) return say(`There is no Application ${number}.`);
    try {
      const body = { function: name, environment: ENVIRONMENT, payload: JSON.parse(payload) as unknown };
      const { outcome } = await meta<Invocation>('POST', `/applications/${id}/installs/${appKey}/invoke`, body);
      const { kind, value, ...facts } = outcome;
      say(`[${number}] ${name} → ${kind === 'ok' ? JSON.stringify(value) : `${kind}: ${Object.values(facts).filter(Boolean).join(': ')}`}`);
    } catch (thrown) {
      say(`[${number}] ${name}: ${(thrown as Error).message}`);
    }
  };
  return (line) => {
    const wanted = line.trim() === '' ? last : line.trim();
    last = wanted;
    if (wanted !== '') void call(wanted);
  };
}

async function followLogs(appKey: string, { meta, applicationIds }: DevWorld, index: number, stopped: AbortSignal): Promise<void> {
  let cursor = '0';
  while (!stopped.aborted) {
    const path = `/applications/${applicationIds[index]}/installs/${appKey}/logs?environment=${ENVIRONMENT}&page_size=100&cursor=${cursor}`;
    // A server that is stopping, or busy, is asked again.
    const page = await meta<LogPage>('GET', path).catch(() => null);
    for (const call of page?.objects ?? []) {
      say(`[${index + 1}] ${call.function}@${call.version} ${call.outcome} ${call.duration_ms} ms`);
      for (const { level, message } of call.lines) say(`[${index + 1}]   ${level.padEnd(5)} ${message}`);
      if (call.lines_dropped > 0) say(`[${index + 1}]   … and ${call.lines_dropped} lines more`);
    }
    cursor = page?.cursor ?? cursor;
    await sleep(LOGS_EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
}

function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}
