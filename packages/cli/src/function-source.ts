import { join } from 'node:path';
import type { FunctionManifest } from '@bulkhead/protocol';
import { bundleFunctions } from './bundle-functions.ts';
import { bundleForgeFunctions } from './forge/bundle-forge-functions.ts';
import { FORGE_MANIFEST_FILE, readForgeManifest } from './forge/read-forge-manifest.ts';
import { MANIFEST_FILE, parseManifest, textOf } from './function-manifest-file.ts';
import { UsageError } from './usage-error.ts';

/** Functions of a folder, read and not yet bundled. */
export interface FunctionSource {
  readonly manifest: FunctionManifest;
  /** Lines for whoever deploys it; empty where the manifest is ours. */
  readonly report: readonly string[];
  readonly bundle: () => Promise<string>;
}

/**
 * By `bulkhead.yml`; where there is none, or `forge` says so, by Forge's `manifest.yml`. Throws `UsageError` where there is neither, or with line
 * and column of each thing that is wrong.
 */
export async function readFunctionSource(
  root: string,
  { app, forge = false }: { app?: string | undefined; forge?: boolean | undefined },
): Promise<FunctionSource> {
  const own = forge ? null : await textOf(join(root, MANIFEST_FILE));
  if (own !== null) {
    const manifest = parseManifest(join(root, MANIFEST_FILE), own);
    if (app !== undefined && app !== manifest.app) throw new UsageError(`--app: ${MANIFEST_FILE} is of the App "${manifest.app}".`);
    return { manifest, report: [], bundle: () => bundleFunctions(root, manifest) };
  }
  const read = await readForgeManifest(root, { app, environment: process.env });
  if (read !== null) return { ...read, bundle: () => bundleForgeFunctions(root, read.functions) };
  const missing = forge ? join(root, FORGE_MANIFEST_FILE) : `${join(root, MANIFEST_FILE)}, and no ${FORGE_MANIFEST_FILE} either`;
  throw new UsageError(`There is no ${missing}. The folder of functions has one; the guide is docs/guides/write-a-function.md.`);
}
