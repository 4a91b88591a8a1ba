import { isNode, isPair, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { UsageError } from './usage-error.ts';

const FILE_BYTES_MAX = 200_000;
/** Aliases that a document may resolve: few letters can stand for very much. */
const ALIASES_MAX = 100;

export type Keys = readonly PropertyKey[];

/** What a YAML file says, and where it says it. */
export interface YamlFile {
  readonly value: unknown;
  /** `path:line:column` of a field, or of what should hold it. */
  readonly at: (keys: Keys) => string;
  /** Its line alone, from 1. */
  readonly lineOf: (keys: Keys) => number;
}

/** Throws `UsageError`, a line for each thing that is no YAML: `path:line:column: what`. */
export function parseYaml(path: string, text: string): YamlFile {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) throw new UsageError(`${path}: longer than ${FILE_BYTES_MAX} bytes.`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0)
    throw new UsageError(document.errors.map((error) => `${place(error.pos[0])}: ${error.message}`).join('\n'));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    throw new UsageError(`${path}:1:1: it resolves too many aliases`);
  }
  return {
    value,
    at: (keys) => place(offsetOf(document, keys)),
    lineOf: (keys) => lineCounter.linePos(offsetOf(document, keys)).line,
  };
}

/** The value as a schema reads it. Throws `UsageError`, a line for each thing that is wrong. */
export function readAs<Schema extends z.ZodType>({ value, at }: YamlFile, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    parsed.error.issues
      .flatMap(told)
      .map(({ keys, text }) => `${at(keys)}: ${text}`)
      .join('\n'),
  );
}

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
