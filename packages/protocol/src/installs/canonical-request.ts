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
  eachParameter(target.slice(at + 1), (sentName, sentValue) => {
    if (decoded(sentName) === name) found.push(decoded(sentValue));
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
  if (query === '') return '';
  const values = new Map<string, string | string[]>();
  const names: string[] = [];
  eachParameter(query, (sentName, sentValue) => {
    const name = decoded(sentName);
    if (name === 'jwt') return;
    const value = decoded(sentValue);
    const of = values.get(name);
    if (of === undefined) {
      names.push(name);
      values.set(name, value);
    } else if (typeof of === 'string') values.set(name, [of, value]);
    else of.push(value);
  });
  // By code unit, which is the default order: every other one is a matter of locale, or of one platform's own.
  let text = '';
  for (const name of names.sort(byCodeUnit)) {
    const of = values.get(name) ?? '';
    const value = typeof of === 'string' ? encoded(of) : of.sort(byCodeUnit).map(encoded).join(',');
    text += `${text === '' ? '' : '&'}${encoded(name)}=${value}`;
  }
  return text;
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function hasParameter(query: string): boolean {
  return /[^&]/.test(query);
}

/** Flat pairs as sent, whatever their names look like: no `a[b]` makes an object here, and no name is special. */
function eachParameter(query: string, see: (name: string, value: string) => void): void {
  let equals = query.indexOf('=');
  for (let from = 0; from <= query.length; ) {
    const end = query.indexOf('&', from);
    const to = end === -1 ? query.length : end;
    if (equals !== -1 && equals < from) equals = query.indexOf('=', from);
    if (to > from) {
      if (equals === -1 || equals >= to) see(query.slice(from, to), '');
      else see(query.slice(from, equals), query.slice(equals + 1, to));
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

const UNRESERVED = /^[A-Za-z0-9._~-]*$/;

/** RFC 3986 §2.1, §2.3: everything but the unreserved characters, in upper-case hexadecimal. */
function encoded(text: string): string {
  if (UNRESERVED.test(text)) return text;
  const escaped = encodeURIComponent(text.isWellFormed() ? text : text.toWellFormed());
  return /[!'()*]/.test(escaped)
    ? escaped.replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    : escaped;
}
