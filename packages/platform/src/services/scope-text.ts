import { servicesErrors } from './services-errors.ts';

/** A service id, category, API or permission of ours. */
export const SCOPE_WORD = /^[a-z][a-z0-9_-]*$/;
/** One value of an upstream scope: RFC 6749 §3.3 `scope-token`. */
export const UPSTREAM_SCOPE_VALUE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

const TEXT_LENGTH_MAX = 4096;
const TOKENS_MAX = 50;
const WORD_LENGTH_MAX = 63;

export type ScopeRole = 'normal' | 'admin' | 'all' | 'any';

/**
 * One token of the Kloudless scope grammar:
 * `<service|category|any|all>[:normal|:admin|:all|:any][.<api|basic|all>[.<permission>[:kloudless|:raw]]]`.
 */
export interface ScopeToken {
  /** A service id, a category, `any` or `all`. */
  readonly selector: string;
  /** Whose rights: `normal` when not said. */
  readonly role: ScopeRole;
  /** An API, `basic` (identity only) or `all` (also when not said). */
  readonly api: string;
  /** A word of ours, `default` when not said; or, for `raw`, the upstream's own scope values. */
  readonly permission: { readonly kind: 'kloudless'; readonly word: string } | { readonly kind: 'raw'; readonly values: readonly string[] };
}

export type Scope = readonly ScopeToken[];

const ROLES: ReadonlySet<string> = new Set(['normal', 'admin', 'all', 'any']);

function refuse(problem: string): never {
  throw servicesErrors('scope.invalid', { params: { problem }, field: 'scope' });
}

function isWord(text: string): boolean {
  return text.length <= WORD_LENGTH_MAX && SCOPE_WORD.test(text);
}

/** For a message: the offending part, cut, without anything that could break out of a page or a log line. */
function quote(part: string): string {
  return `"${part.slice(0, 40).replace(/[^\x20-\x7e]|["<>&]/g, '?')}"`;
}

function parsePermission(text: string, token: string): ScopeToken['permission'] {
  const match = /^(?:"([^"]*)"|([^"]+?))(?::(kloudless|raw))?$/.exec(text);
  if (match === null) return refuse(`${quote(token)} has a permission that cannot be read`);
  const [, quoted, bare = '', kind = 'kloudless'] = match;
  const content = quoted ?? bare;
  if (kind === 'raw') {
    const values = content.split(' ').filter((value) => value !== '');
    if (values.length === 0 || !values.every((value) => UPSTREAM_SCOPE_VALUE.test(value)))
      return refuse(`${quote(token)} has no valid upstream scope`);
    return { kind: 'raw', values: [...new Set(values)] };
  }
  if (!isWord(content)) return refuse(`${quote(token)} has no valid permission`);
  return { kind: 'kloudless', word: content };
}

function parseToken(token: string): ScopeToken {
  const match = /^([^:."]+)(?::([^:."]+))?(?:\.([^:."]+)(?:\.(.+))?)?$/.exec(token);
  if (match === null) return refuse(`${quote(token)} is not of the form service:role.api.permission`);
  const [, selector = '', role = 'normal', api = 'all', permission] = match;
  if (!isWord(selector)) return refuse(`${quote(token)} does not begin with a service or category`);
  if (!ROLES.has(role)) return refuse(`${quote(token)} has an unknown role`);
  if (!isWord(api)) return refuse(`${quote(token)} has no valid API`);
  return {
    selector,
    role: role as ScopeRole,
    api,
    permission: permission === undefined ? { kind: 'kloudless', word: 'default' } : parsePermission(permission, token),
  };
}

/**
 * Parses a scope as Kloudless clients send it: tokens divided by spaces; a permission in double quotes may hold spaces.
 * Throws `scope.invalid` for anything else: an empty text, tabs, a stray quote, more than 50 tokens.
 */
export function parseScope(text: string): Scope {
  if (text.length > TEXT_LENGTH_MAX) refuse(`at most ${TEXT_LENGTH_MAX} characters`);
  if (!/^[\x20-\x7e]*$/.test(text)) refuse('only printable ASCII characters are allowed');
  const tokens = text.match(/(?:[^ "]|"[^"]*")+|"/g) ?? [];
  if (tokens.length === 0) refuse('it is empty');
  if (tokens.length > TOKENS_MAX) refuse(`at most ${TOKENS_MAX} tokens`);
  return tokens.map(parseToken);
}

function formatToken({ selector, role, api, permission }: ScopeToken): string {
  const tail = permission.kind === 'kloudless' ? `${permission.word}:kloudless` : `"${permission.values.join(' ')}":raw`;
  return `${selector}:${role}.${api}.${tail}`;
}

/** The scope in full, as effective scopes are written: `gdrive:normal.storage.default:kloudless`. `parseScope` reads it back. */
export function formatScope(scope: Scope): string {
  return [...new Set(scope.map(formatToken))].join(' ');
}
