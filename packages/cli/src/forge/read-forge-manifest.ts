import { join } from 'node:path';
import { appKey, functionManifest, type FunctionManifest } from '@bulkhead/protocol';
import { textOf } from '../function-manifest-file.ts';
import { UsageError } from '../usage-error.ts';
import { parseYaml, readAs } from '../yaml-file.ts';
import { forgeManifest } from './forge-manifest.ts';
import { ForgeReport } from './forge-report.ts';
import { interpolate } from './interpolate.ts';
import { mapFunctions } from './map-functions.ts';
import { mapInert } from './map-inert.ts';
import { mapConsumers, mapSchedules, mapTriggers } from './map-jobs.ts';
import { mapPermissions } from './map-permissions.ts';
import { mapStorage } from './map-storage.ts';
import { mapVariables } from './map-variables.ts';
import { mapWebtriggers } from './map-webtriggers.ts';
import { bulkheadManifest, type Mapped, type MappedFunction, type MapPart, originOf } from './mapped.ts';

export const FORGE_MANIFEST_FILE = 'manifest.yml';

/** In this order; each adds to what the ones before have made. */
const PARTS: readonly MapPart[] = [
  mapFunctions,
  mapWebtriggers,
  mapSchedules,
  mapConsumers,
  mapTriggers,
  mapStorage,
  mapVariables,
  mapPermissions,
  mapInert,
];

export interface ForgeReading {
  /** What `bulkhead.yml` would say. */
  readonly manifest: FunctionManifest;
  readonly functions: readonly MappedFunction[];
  /** For whoever deploys it: what counts here and what is inert, by name and line. */
  readonly report: readonly string[];
}

export interface ForgeReadOptions {
  /** Key of the App that it is deployed as; the id of `app.id` if absent. */
  readonly app?: string | undefined;
  /** Where `${NAME}` finds its values. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Forge's manifest in a folder; null where there is none. Throws `UsageError` with line and column of each thing that is wrong. */
export async function readForgeManifest(folder: string, options: ForgeReadOptions): Promise<ForgeReading | null> {
  const path = join(folder, FORGE_MANIFEST_FILE);
  const text = await textOf(path);
  return text === null ? null : parseForgeManifest(path, text, options);
}

/** Throws `UsageError`, a line for each thing that is wrong: `path:line:column: what`. */
export function parseForgeManifest(path: string, text: string, { app, environment = {} }: ForgeReadOptions = {}): ForgeReading {
  const file = interpolate(parseYaml(path, text), environment);
  const manifest = readAs(file, forgeManifest);
  const report = new ForgeReport(file);
  const mapped: Mapped = { functions: [], backend: [], scopes: [], lists: new Map() };
  for (const part of PARTS) part({ manifest, report, mapped });
  const key = appKey.safeParse(app ?? manifest.app.id.slice(manifest.app.id.lastIndexOf('/') + 1));
  if (!key.success) report.problem(['app', 'id'], `app.id: ${key.error.issues[0]?.message}; or say which App it is with --app`);
  if (mapped.functions.length === 0 && report.problems.length === 0)
    report.problem(['modules'], 'modules.function: there is no function, and nothing to deploy');
  if (report.problems.length > 0) throw new UsageError(report.problems.join('\n'));
  const read = functionManifest.safeParse(bulkheadManifest(key.data ?? '', mapped));
  if (!read.success) {
    for (const issue of read.error.issues) {
      const keys = originOf(mapped, issue.path);
      report.problem(keys, `${keys.join('.')}: ${issue.message}`);
    }
    throw new UsageError(report.problems.join('\n'));
  }
  return { manifest: read.data, functions: mapped.functions, report: report.lines(path) };
}
