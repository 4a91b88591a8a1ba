import type { FunctionManifest } from '@bulkhead/protocol';
import type { ForgeManifest } from './forge-manifest.ts';
import type { ForgeReport } from './forge-report.ts';

/** A function of ours: which handler it calls, and in whose form. */
export interface MappedFunction {
  readonly key: string;
  /** FILE.EXPORT from the folder of the manifest. */
  readonly handler: string;
  /** What the entry wraps it in. */
  readonly as: 'function';
  /** Key of the module that it is called for. */
  readonly module: string;
}

/** What a manifest comes to so far: each part adds its own. */
export interface Mapped {
  readonly functions: MappedFunction[];
  readonly backend: string[];
}

export type MapPart = (parts: { readonly manifest: ForgeManifest; readonly report: ForgeReport; readonly mapped: Mapped }) => void;

/** `bulkhead.yml` of it. */
export function bulkheadManifest(app: string, { functions, backend }: Mapped): FunctionManifest {
  return {
    app,
    functions: functions.map(({ key, handler }) => ({ key, handler })),
    ...(backend.length === 0 ? {} : { permissions: { external: { fetch: { backend } } } }),
  };
}
