import { applicationErrors } from './application-errors.ts';

const ANSWER_PARAMETERS = [
  'code',
  'state',
  'iss',
  'error',
  'error_description',
  'error_uri',
  'access_token',
  'token_type',
  'expires_in',
  'scope',
  'id_token',
];
const LOOPBACK_IPS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]']);
const NEVER_SCHEMES: ReadonlySet<string> = new Set([
  'javascript:',
  'data:',
  'vbscript:',
  'blob:',
  'file:',
  'about:',
  'ws:',
  'wss:',
  'ftp:',
  'view-source:',
  'filesystem:',
  'urn:',
  'mailto:',
  'tel:',
]);

/**
 * Refuses what may not be registered (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1): fragments, answer parameters, user
 * info, script schemes, plain http outside loopback. Custom schemes of native apps are allowed. Answers the text as given.
 */
export function checkRedirectUri(text: string): string {
  const refuse = (problem: string) => applicationErrors('redirect_uri.refused', { params: { problem }, field: 'url' });
  if (text.length > 2048) throw refuse('it is longer than 2048 characters');
  if (/[^\x21-\x7E]/.test(text) || text.includes('\\') || text.includes('*'))
    throw refuse('it holds spaces, wildcards, backslashes or characters that must be percent-encoded');
  if (!URL.canParse(text)) throw refuse('it is not an absolute URI');
  const url = new URL(text);
  // `https:host` means `https://host` to one reader, and in a Location a path on our own host to another (RFC 3986 §5.2.2).
  if (/^https?:/i.test(text) && !/^https?:\/\/[^/?#]/i.test(text)) throw refuse('it does not name a host after "//"');
  if (text.includes('#')) throw refuse('it has a fragment');
  if (url.username !== '' || url.password !== '') throw refuse('it names a user');
  if (NEVER_SCHEMES.has(url.protocol)) throw refuse(`the scheme ${url.protocol} is never allowed`);
  if (url.protocol === 'http:' && !isLoopback(url))
    throw refuse('plain http is allowed for 127.0.0.1, [::1] and localhost only; use https');
  const answer = ANSWER_PARAMETERS.find((name) => url.searchParams.has(name));
  if (answer !== undefined) throw refuse(`its query has "${answer}", which the answer uses`);
  return text;
}

function isLoopback(url: URL): boolean {
  return LOOPBACK_IPS.has(url.hostname) || url.hostname === 'localhost';
}

/**
 * Whether a requested redirect URI is the registered one: the same text, except that a loopback IP may use any port
 * (RFC 8252 §7.3).
 */
export function redirectUriMatches(registered: string, requested: string): boolean {
  if (registered === requested) return true;
  if (!URL.canParse(registered) || !URL.canParse(requested)) return false;
  const known = new URL(registered);
  if (known.protocol !== 'http:' || !LOOPBACK_IPS.has(known.hostname)) return false;
  const authority = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?=[/?]|$)/;
  const left = authority.exec(registered);
  const right = authority.exec(requested);
  return left !== null && right !== null && left[1] === right[1] && registered.slice(left[0].length) === requested.slice(right[0].length);
}
