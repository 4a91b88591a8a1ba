import { readFile } from 'node:fs/promises';
import { type FunctionManifest, functionManifest } from '@bulkhead/protocol';
import { parseYaml, readAs } from './yaml-file.ts';

export const MANIFEST_FILE = 'bulkhead.yml';

/** Throws `UsageError`, a line for each thing that is wrong: `path:line:column: what`. */
export function parseManifest(path: string, text: string): FunctionManifest {
  return readAs(parseYaml(path, text), functionManifest);
}

/** Null where there is no such file. */
export function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
}
