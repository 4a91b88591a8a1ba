import { z } from 'zod';

const LENGTH_MAX = 2048;

/** Why `text` cannot be an address of a service, or null. Says nothing about where it points: that is checked when it is called. */
export function urlProblem(text: string, { allowQuery = true } = {}): string | null {
  if (text.length > LENGTH_MAX) return `at most ${LENGTH_MAX} characters`;
  if (!/^https?:\/\/[^/]/i.test(text)) return 'expected an absolute http or https URL';
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes('\\'))
    return 'expected a URL without spaces, control characters, backslashes or non-ASCII characters';
  const url = URL.parse(text);
  if (url === null) return 'expected an absolute http or https URL';
  if (
    url.username !== '' ||
    url.password !== '' ||
    text
      .slice(text.indexOf('//') + 2)
      .split(/[/?#]/, 1)[0]!
      .includes('@')
  ) {
    return 'a user name or password in the URL is not allowed';
  }
  if (text.includes('#')) return 'a fragment is not allowed';
  if (!allowQuery && text.includes('?')) return 'a query is not allowed';
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text.slice(text.indexOf('//') + 2).split(/[?#]/, 1)[0]!))
    return 'dot segments are not allowed';
  return null;
}

function urlSchema(options: { allowQuery?: boolean } = {}) {
  return z.string().superRefine((text, context) => {
    const problem = urlProblem(text, options);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });
}

/** An http(s) URL without user information or fragment. */
export const httpUrl = urlSchema();
/** The same without a query: an issuer (RFC 8414 §2) or the base of an API. */
export const httpBaseUrl = urlSchema({ allowQuery: false });

/** `path` under `base`, as text: `https://h/v1` + `/me` is `https://h/v1/me`. An absolute URL stays as it is. */
export function resolveUnderBase(baseUrl: string, pathOrUrl: string): string {
  return pathOrUrl.startsWith('/') ? baseUrl.replace(/\/+$/, '') + pathOrUrl : pathOrUrl;
}
