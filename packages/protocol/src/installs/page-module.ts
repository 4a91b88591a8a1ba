import { z } from 'zod';
import { appTarget } from './app-target.ts';
import type { Complaint } from './descriptor.ts';
import { type ModuleCondition, readConditions } from './module-condition.ts';

/** Modules that a host shows: in a frame, or as a link. The first two of the last row are single objects in a descriptor. */
export const PAGE_MODULE_TYPES = [
  'generalPages',
  'adminPages',
  'webPanels',
  'webItems',
  'dialogs',
  'configurePage',
  'postInstallPage',
] as const;
export type PageModuleType = (typeof PAGE_MODULE_TYPES)[number];
const SINGLE: ReadonlySet<PageModuleType> = new Set(['configurePage', 'postInstallPage']);

/** Addresses with many variables are long. */
const URL_MAX = 1_000;

/** Text of a module: `{"value": "Notes"}`; `i18n` is of hosts that translate. */
const moduleText = z.looseObject({ value: z.string().min(1).max(200) }, 'missing; give it as {"value": "…"}');

const pageModule = z.looseObject({
  key: z
    .string('missing; every module that is shown needs a key')
    .min(1)
    .max(100)
    .regex(/^[a-zA-Z0-9-]+$/, 'not a module key; use letters, digits and "-" only'),
  name: moduleText.optional(),
  url: z.string('missing; give the path of the page below baseUrl').min(1).max(URL_MAX),
  location: z.string().max(200).optional(),
  weight: z.number().min(-1_000_000).max(1_000_000).optional(),
  tooltip: moduleText.optional(),
  fullPage: z.boolean().optional(),
  context: z.string().max(50).optional(),
  target: z.looseObject({ type: z.string().max(50).optional(), options: z.looseObject({}).optional() }).optional(),
  options: z.looseObject({}).optional(),
});

/** A module that a host shows, as far as it needs to know it. */
export interface PageModule {
  readonly type: PageModuleType;
  readonly key: string;
  /** Dialogs may have none. */
  readonly name: string | null;
  /** Below `baseUrl`, with variables (`{issue.key}`); of a webItem also absolute. */
  readonly url: string;
  readonly location: string | null;
  readonly weight: number;
  readonly tooltip: string | null;
  readonly condition: ModuleCondition;
  /** Of a webItem: what a click does (`page`, `dialog`, `inlinedialog`, `dialogmodule`). */
  readonly target: string | null;
  /** Size and the like of a dialog, as it came. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Whether a webItem leads out of the App's own pages. */
export function isAbsoluteItem({ type, url }: Pick<PageModule, 'type' | 'url'>): boolean {
  return type === 'webItems' && /^https?:\/\//i.test(url);
}

/**
 * The modules that a host can show, of a descriptor or added while an App runs. What is not as it must be is left out: it has been refused
 * when the descriptor was read, or is older than that rule.
 */
export function pageModules(modules: Readonly<Record<string, unknown>> | undefined, baseUrl: string): PageModule[] {
  return [...eachPageModule(modules ?? {})].flatMap(({ type, value }) => {
    const read = readPageModule(type, value, baseUrl);
    return 'problem' in read ? [] : [read];
  });
}

/** What is wrong with the modules that a host shows. */
export function* pageModuleComplaints(modules: Readonly<Record<string, unknown>>, baseUrl: string): Generator<Complaint> {
  for (const { type, value, path } of eachPageModule(modules)) {
    const read = readPageModule(type, value, baseUrl);
    if ('problem' in read) yield { path: ['modules', ...path, ...read.path], problem: read.problem };
  }
}

function* eachPageModule(
  modules: Readonly<Record<string, unknown>>,
): Generator<{ type: PageModuleType; value: unknown; path: (string | number)[] }> {
  for (const type of PAGE_MODULE_TYPES) {
    const listed = modules[type];
    if (listed === undefined || listed === null) continue;
    if (SINGLE.has(type) && !Array.isArray(listed)) yield { type, value: listed, path: [type] };
    else if (Array.isArray(listed)) for (const [index, value] of listed.slice(0, 500).entries()) yield { type, value, path: [type, index] };
    else yield { type, value: listed, path: [type] };
  }
}

function readPageModule(type: PageModuleType, value: unknown, baseUrl: string): PageModule | Complaint {
  const read = pageModule.safeParse(value);
  if (!read.success) {
    const issue = read.error.issues[0]!;
    return { path: issue.path as (string | number)[], problem: issue.path.length === 0 ? 'not an object' : wordsOf(issue) };
  }
  const { key, name, url, location, weight, tooltip, target, options } = read.data;
  if (name === undefined && type !== 'dialogs') return { path: ['name'], problem: 'missing; give it as {"value": "…"}' };
  if (!isAbsoluteItem({ type, url }) && appTarget(baseUrl, withoutVariables(url), URL_MAX) === null)
    return { path: ['url'], problem: 'not below baseUrl; give a path that begins with "/"' };
  const condition = readConditions((value as Readonly<Record<string, unknown>>)['conditions']);
  if ('problem' in condition) return { path: ['conditions', ...condition.path], problem: condition.problem };
  return {
    type,
    key,
    name: name?.value ?? null,
    url,
    location: location ?? null,
    weight: weight ?? 100,
    tooltip: tooltip?.value ?? null,
    condition,
    target: target?.type ?? null,
    options: { ...target?.options, ...options },
  };
}

function withoutVariables(url: string): string {
  return url.replaceAll(/\$?\{[^{}]*\}/g, 'x');
}

function wordsOf({
  code,
  message,
  path,
}: {
  readonly code: string;
  readonly message: string;
  readonly path: readonly PropertyKey[];
}): string {
  if (code === 'too_big') return 'too long';
  if (code === 'too_small') return 'empty; give it a value';
  return message.startsWith('Invalid input') ? `not what ${String(path.at(-1))} must be` : message;
}
