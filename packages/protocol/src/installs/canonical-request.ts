/** What a canonical request is made of. Nothing here has been decoded, routed or parsed before. */
export interface SignedRequest {
  /** Any case; compared in upper case. */
  readonly method: string;
  /** The request target as it stood in the request line: path, and `?query` where there is one. Not an absolute URL. */
  readonly target: string;
  /** Path of the receiver's base URL (`/wiki`), which is not part of what is signed. Stripped only where it ends at a segment. */
  readonly basePath?: string;
  /** A form body as sent (`a=1&b=2`): stands for the query of a POST or PUT whose target has none. */
  readonly form?: string;
}

/**
 * Atlassian Connect's canonical request, `METHOD&path&query`: the path as sent, without the base path and one closing slash, with `&`
 * written `%26`; the parameters decoded and encoded again by RFC 3986, sorted by name (UTF-16 order), a name's values sorted and joined
 * by a comma, `jwt` left out. Total: whatever the target, it has one canonical request and nothing is thrown.
 */
export function canonicalRequest({ method, target, basePath = '', form }: SignedRequest): string {
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  let query = at === -1 ? '' : target.slice(at + 1);
  const verb = method.toUpperCase();
  if (form !== undefined && (verb === 'POST' || verb === 'PUT') && !hasParameter(query)) query = form;
  return `${verb}&${canonicalPath(path, basePath)}&${canonicalQuery(query)}`;
}

/** The values of one parameter of a raw target, decoded, in the order they were sent: what a receiver looks `jwt` up by. */
export function queryValues(target: string, name: string): string[] {
  const at = target.indexOf('?');
  const found: string[] = [];
  if (at === -1) return found;
  eachParameter(target, at + 1, (sentName, from, to) => {
    if (decoded(sentName) === name) found.push(decoded(target.slice(from, to)));
  });
  return found;
}

function canonicalPath(sent: string, basePath: string): string {
  const base = basePath.endsWith('/') ? basePath.slice(0, -1) : basePath;
  let path = sent === base || sent.startsWith(`${base}/`) ? sent.slice(base.length) : sent;
  if (path.includes('&')) path = path.replaceAll('&', '%26');
  if (!path.startsWith('/')) path = `/${path}`;
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function canonicalQuery(query: string): string {
  const sent: Parameter[] = [];
  eachParameter(query, 0, (sentName, from, to) => {
    const name = decoded(sentName);
    if (name !== 'jwt') sent.push({ name, value: query.slice(from, to) });
  });
  sortByName(sent);
  let text = '';
  for (let at = 0, next = 0; at < sent.length; at = next) {
    const { name, value } = sent[at]!;
    for (next = at + 1; sent[next]?.name === name; ) next += 1;
    const values = next === at + 1 ? encodedAgain(value) : joined(sent.slice(at, next));
    text += `${at === 0 ? '' : '&'}${encoded(name)}=${values}`;
  }
  return text;
}

interface Parameter {
  /** Decoded. */
  readonly name: string;
  /** As sent. */
  readonly value: string;
}

/** The values of one name that came more than once. */
function joined(parameters: readonly Parameter[]): string {
  const values = parameters.map(({ value }) => decoded(value));
  return values.sort(byCodeUnit).map(encoded).join(',');
}

/** By code unit, which is the default order: every other one is a matter of locale, or of one platform's own. */
function sortByName(parameters: Parameter[]): void {
  // A page has a handful, and for so few this takes a third of the time; anybody can send thousands.
  if (parameters.length > 16) return void parameters.sort((left, right) => byCodeUnit(left.name, right.name));
  for (let at = 1; at < parameters.length; at += 1) {
    const parameter = parameters[at]!;
    let to = at;
    for (; to > 0 && parameters[to - 1]!.name > parameter.name; to -= 1) parameters[to] = parameters[to - 1]!;
    parameters[to] = parameter;
  }
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function hasParameter(query: string): boolean {
  return /[^&]/.test(query);
}

/**
 * Flat pairs as sent, whatever their names look like: no `a[b]` makes an object here, and no name is special. The query begins at `start`;
 * the value lies between `from` and `to`.
 */
function eachParameter(text: string, start: number, see: (name: string, from: number, to: number) => void): void {
  let equals = text.indexOf('=', start);
  for (let from = start; from <= text.length; ) {
    const end = text.indexOf('&', from);
    const to = end === -1 ? text.length : end;
    if (equals !== -1 && equals < from) equals = text.indexOf('=', from);
    if (to > from) {
      if (equals === -1 || equals >= to) see(text.slice(from, to), to, to);
      else see(text.slice(from, equals), equals + 1, to);
    }
    from = to + 1;
  }
}

/** `+` is a space. A name or value whose escapes are no UTF-8 stands for itself, as sent: no two of these become one. */
function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** Unreserved characters, and escapes of ASCII that has to be escaped: decoded and encoded again, it is what it was. */
const ENCODED = /^(?:[A-Za-z0-9._~-]|%(?:[01][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]))*$/;

function encodedAgain(sent: string): string {
  return ENCODED.test(sent) ? sent : encoded(decoded(sent));
}

const UNRESERVED = /^[A-Za-z0-9._~-]*$/;

/** RFC 3986 §2.1, §2.3: everything but the unreserved characters, in upper-case hexadecimal. */
function encoded(text: string): string {
  if (UNRESERVED.test(text)) return text;
  const escaped = encodeURIComponent(text.isWellFormed() ? text : text.toWellFormed());
  return /[!'()*]/.test(escaped)
    ? escaped.replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    : escaped;
}
