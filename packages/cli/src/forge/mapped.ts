import { functionKey } from '@bulkhead/protocol';
import type { Keys } from '../yaml-file.ts';
import type { ForgeManifest } from './forge-manifest.ts';
import type { ForgeReport } from './forge-report.ts';

/** In whose form a handler is called: what the entry wraps it in. */
export type CalledAs = 'function' | 'scheduled' | 'trigger' | 'consumer' | 'webtrigger';

/** A function of ours: which handler it calls, and how. */
export interface MappedFunction {
  readonly key: string;
  /** FILE.EXPORT from the folder of the manifest. */
  readonly handler: string;
  readonly limits: Readonly<Record<string, number>> | undefined;
  readonly as: CalledAs;
  /** Key of the module that it is called for. */
  readonly module: string;
  /** What the wrapper is told beside it, as JSON. */
  readonly options?: object | undefined;
}

/** What a manifest comes to so far: each part adds its own. */
export interface Mapped {
  readonly functions: MappedFunction[];
  readonly backend: string[];
  readonly scopes: string[];
  /** The lists of `bulkhead.yml`, by their names. */
  readonly lists: Map<string, MappedEntry[]>;
}

/** An entry of a list, and where it comes from. */
export interface MappedEntry {
  readonly entry: object;
  readonly at: Keys;
}

export interface MappingParts {
  readonly manifest: ForgeManifest;
  readonly report: ForgeReport;
  readonly mapped: Mapped;
}

export type MapPart = (parts: MappingParts) => void;

/** A module that calls a function, in whose name there is a function of its own. */
export interface CallingModule {
  readonly type: string;
  readonly key: string;
  /** Of Forge's function. */
  readonly calls: string | undefined;
  readonly as: CalledAs;
  readonly options?: object;
  /** Where it stands. */
  readonly at: Keys;
}

/** The key of the function that a module calls; null where it calls none here, which is reported. */
export function functionOf({ report, mapped }: MappingParts, { type, key, calls, as, options, at }: CallingModule): string | null {
  if (calls === undefined) {
    report.inert(at, `${type} ${key}`, 'it calls an endpoint of a remote, not a function');
    return null;
  }
  const called = mapped.functions.find((each) => each.as === 'function' && each.key === calls);
  const own = `${as}-${key}`;
  const problem =
    called === undefined
      ? `there is no function ${JSON.stringify(calls)}`
      : (functionKey.safeParse(own).error?.issues[0]?.message ??
        (mapped.functions.some((each) => each.key === own) ? `another module is called ${own} here` : null));
  if (called === undefined || problem !== null) {
    report.problem(at, `${at.join('.')}: ${problem}`);
    return null;
  }
  mapped.functions.push({ key: own, handler: called.handler, limits: called.limits, as, module: key, options });
  report.understood(`${type} ${key}`);
  return own;
}

/** `bulkhead.yml` of it, not yet read. */
export function bulkheadManifest(app: string, { functions, backend, scopes, lists }: Mapped): unknown {
  const permissions = {
    ...(scopes.length === 0 ? {} : { scopes }),
    ...(backend.length === 0 ? {} : { external: { fetch: { backend } } }),
  };
  return {
    app,
    functions: functions.map(({ key, handler, limits }) => ({ key, handler, ...(limits === undefined ? {} : { limits }) })),
    ...Object.fromEntries(
      [...lists].flatMap(([name, entries]) => {
        const all = entries.map(({ entry }) => entry);
        return all.length === 0 ? [] : [[name, name === 'storage' ? { entities: all } : all]];
      }),
    ),
    ...(Object.keys(permissions).length === 0 ? {} : { permissions }),
  };
}

/** Where that stands in Forge's manifest which is at `path` in ours. */
export function originOf({ lists }: Mapped, path: Keys): Keys {
  const [name, ...rest] = path[0] === 'storage' ? [path[0], ...path.slice(2)] : path;
  const [place, ...inside] = rest;
  const entry = typeof place === 'number' ? lists.get(String(name))?.[place] : undefined;
  return entry === undefined ? ['modules'] : [...entry.at, ...inside];
}
