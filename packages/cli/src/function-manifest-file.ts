import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FunctionManifest, functionManifest } from '@bulkhead/protocol';
import { isNode, isPair, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { UsageError } from './usage-error.ts';

export const MANIFEST_FILE = 'bulkhead.yml';
const MANIFEST_BYTES_MAX = 200_000;
/** Aliases that a document may resolve: few letters can stand for very much. */
const ALIASES_MAX = 100;

/** The manifest in a folder. Throws `UsageError` that names the file, with line and column of each thing that is wrong. */
export async function readManifestFile(folder: string): Promise<FunctionManifest> {
  const path = join(folder, MANIFEST_FILE);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UsageError(`There is no ${path}. The folder of functions has one; the guide is docs/guides/write-a-function.md.`);
    throw error;
  });
  return parseManifest(path, text);
}

/** Throws `UsageError`, a line for each thing that is wrong: `path:line:column: what`. */
export function parseManifest(path: string, text: string): FunctionManifest {
  if (Buffer.byteLength(text) > MANIFEST_BYTES_MAX) throw new UsageError(`${path}: longer than ${MANIFEST_BYTES_MAX} bytes.`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) throw new UsageError(document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`).join('\n'));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    throw new UsageError(`${path}:1:1: it resolves too many aliases`);
  }
  const parsed = functionManifest.safeParse(value);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.flatMap((issue) =>
    told(issue).map(({ keys, text: problem }) => `${at(offsetOf(document, keys))}: ${problem}`),
  );
  throw new UsageError(lines.join('\n'));
}

type Keys = readonly PropertyKey[];

/** A sentence per field: one issue may name several unknown ones. */
function told(issue: z.core.$ZodIssue): { keys: Keys; text: string }[] {
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ keys: [...issue.path, key], text: `${[...issue.path, key].join('.')}: there is no such field` }));
  return [{ keys: issue.path, text: `${where === '' ? 'the manifest' : where}: ${issue.message}` }];
}

/** Where in the text a field stands, or what should hold it. */
function offsetOf(document: ReturnType<typeof parseDocument>, keys: Keys): number {
  for (let length = keys.length; length > 0; length--) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(keys.slice(0, length - 1), true);
    const items = isNode(parent) && 'items' in parent ? (parent.items as readonly unknown[]) : [];
    const key = keys[length - 1];
    const item = typeof key === 'number' ? items[key] : items.find((each) => isPair(each) && String(each.key) === key);
    const node = isPair(item) ? item.key : item;
    if (isNode(node) && node.range != null) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}
