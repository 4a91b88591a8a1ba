import { createHash } from 'node:crypto';

/** What may stand in a `${…}` of a statement. `undefined` is left out on purpose: say `null` when you mean it. */
export type SqlValue = string | number | bigint | boolean | null | Date | Uint8Array | readonly SqlValue[] | Sql;

/** JSON as `sql.json` takes it. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue | undefined };

/** A statement, or a piece of one: text and values stay apart until PostgreSQL has parsed the text. Made only by `sql`. */
export class Sql {
  readonly strings: readonly string[];
  readonly values: readonly unknown[];
  #text: string | undefined;

  private constructor(strings: readonly string[], values: readonly unknown[], text?: string) {
    this.strings = strings;
    this.values = values;
    this.#text = text;
  }

  /** The text as PostgreSQL sees it, with `$1`, `$2`, … for the values. */
  get text(): string {
    this.#text ??= numbered(this.strings);
    return this.#text;
  }

  /** Not for callers: `sql` and its companions are the way to a statement. */
  static assemble(strings: readonly string[], values: readonly unknown[], text?: string): Sql {
    return new Sql(strings, values, text);
  }
}

function numbered(strings: readonly string[]): string {
  return strings.reduce((text, part, position) => `${text}$${position}${part}`);
}

const flatTexts = new WeakMap<TemplateStringsArray, string>();

function checkedValue(value: unknown): unknown {
  if (value === null || value instanceof Date || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(checkedValue);
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value;
    default:
      // A Secret would be stored as "[redacted]", an object as whatever the driver makes of it, undefined as null.
      throw new TypeError(
        `A ${value === undefined ? 'undefined' : ((value as object).constructor?.name ?? typeof value)} cannot be a value of a statement; use null, sql.json(…) or .reveal().`,
      );
  }
}

function template(strings: TemplateStringsArray, ...values: readonly SqlValue[]): Sql {
  if (!values.some((value) => value instanceof Sql)) {
    let text = flatTexts.get(strings);
    if (text === undefined) flatTexts.set(strings, (text = numbered(strings)));
    return Sql.assemble(strings, values.map(checkedValue), text);
  }
  const parts: string[] = [strings[0] ?? ''];
  const flat: unknown[] = [];
  values.forEach((value, index) => {
    const after = strings[index + 1] ?? '';
    if (value instanceof Sql) {
      parts[parts.length - 1] += value.strings[0] ?? '';
      parts.push(...value.strings.slice(1));
      flat.push(...value.values);
      parts[parts.length - 1] += after;
    } else {
      flat.push(checkedValue(value));
      parts.push(after);
    }
  });
  return Sql.assemble(parts, flat);
}

/** Pieces side by side, `, ` between them unless told otherwise. At least one: an empty list has no meaning in SQL. */
function join(pieces: readonly SqlValue[], separator: Sql = comma): Sql {
  const [first, ...rest] = pieces;
  if (first === undefined) throw new TypeError('sql.join needs at least one piece; for a list that may be empty write "= any(${list})".');
  return rest.reduce<Sql>((joined, piece) => template`${joined}${separator}${piece}`, template`${first}`);
}

/** Text that goes into the statement as it stands. Only a literal of the source compiles, so no value can take this way. */
function raw<const Text extends string>(text: string extends Text ? never : Text): Sql {
  return Sql.assemble([text], []);
}

/** The name of a table or column, quoted. */
function identifier(name: string): Sql {
  return Sql.assemble([quoteIdentifier(name)], []);
}

/** A value for a `jsonb` column or parameter. */
function json(value: JsonValue): Sql {
  return template`${JSON.stringify(value)}::jsonb`;
}

const comma = Sql.assemble([', '], []);

/**
 * Makes a parameterised statement: sql`select * from accounts where id = ${id}`. Values never become text; pieces made
 * by `sql` nest. `sql.join`, `sql.raw` (literals only), `sql.identifier` and `sql.json` cover the rest.
 */
export const sql = Object.assign(template, { join, raw, identifier, json });

export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) throw new TypeError('A name in SQL is neither empty nor does it hold a NUL.');
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string constant for the few statements that take no parameters (`create role … password`). */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new TypeError('A string in SQL holds no NUL.');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

const NAMED_TEXTS = 500; // past this many different texts per process the rest go unnamed: a server keeps every named one
const names = new Map<string, string>();

/** The name under which a connection keeps a text prepared, or undefined once too many texts have a name. */
export function preparedName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= NAMED_TEXTS) return known;
  const name = `bulkhead_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
  names.set(text, name);
  return name;
}
