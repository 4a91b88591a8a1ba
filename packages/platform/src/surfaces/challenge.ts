import type { PlatformError } from '@bulkhead/base';
import type { AnyRoute, IncomingCall } from '@bulkhead/http';
import { DPOP_ALGORITHMS } from '@bulkhead/protocol';
import type { CredentialKind } from '../access/index.ts';

const SCHEMES: Readonly<Record<CredentialKind, readonly string[]>> = {
  client: ['Basic', 'APIKey'],
  meta_token: ['Bearer'],
  bearer: ['Bearer', 'DPoP'],
  api_key: ['APIKey'],
  install: ['JWT'],
  invocation: ['Bearer'],
};
const ORDER: readonly CredentialKind[] = ['client', 'meta_token', 'bearer', 'api_key', 'install', 'invocation'];

/**
 * `WWW-Authenticate` for an error of a route: each scheme that the route takes (RFC 9110 §11.6.1), and with the one that was used what was
 * wrong with it (RFC 6750 §3, RFC 9449 §7.1). No error code where no token came. Null where nothing is to be said.
 */
export function challengeFor(error: PlatformError, route: AnyRoute | null, call: IncomingCall): string | null {
  // RFC 9110 §11.6.1: a 401 says what would do. There is no scheme in the registry for the signature of a service.
  if (error.code === 'inbound.unverified') return 'Signature realm="bulkhead"';
  if (route === null || route.credentials.length === 0) return null;
  const kinds = route.credentials as readonly CredentialKind[];
  const told = toldError(error, kinds);
  if (told === null && error.status !== 401) return null;
  const known = ORDER.filter((kind) => kinds.includes(kind)).flatMap((kind) => SCHEMES[kind]);
  const schemes = [...known, ...(takesBasic(route) ? ['Basic'] : []), ...(takesUserToken(route) ? ['Bearer'] : [])];
  const used = /^[a-z]+/i.exec(headerText(call))?.[0].toLowerCase();
  const at = schemes.find((scheme) => scheme.toLowerCase() === used) ?? schemes.find((scheme) => scheme === 'Bearer');
  return [...new Set(schemes)]
    .map((scheme) => {
      const parts = ['realm="bulkhead"'];
      if (told !== null && scheme === at) {
        parts.push(`error="${told}"`, `error_description="${quotable(error.publicText)}"`);
        if (told === 'insufficient_scope' && route.scope !== null) parts.push(`scope="${quotable(route.scope)}"`);
      }
      if (scheme === 'DPoP') parts.push(`algs="${DPOP_ALGORITHMS.join(' ')}"`);
      return `${scheme} ${parts.join(', ')}`;
    })
    .join(', ');
}

/** Whether a route takes a Meta token as the password of Basic: where Apps that are being developed install themselves, which know no other way. */
export function takesBasic({ path, credentials }: Pick<AnyRoute, 'path' | 'credentials'>): boolean {
  return path.startsWith('/t/') && credentials.includes('meta_token');
}

/** Whether an App may call it for a user: where scopes decide. What needs none is the App's own. */
function takesUserToken({ credentials, scope }: Pick<AnyRoute, 'credentials' | 'scope'>): boolean {
  return scope !== null && credentials.includes('install');
}

/** RFC 6750 §3.1: the codes of a protected resource. An OAuth client is told in the body instead (RFC 6749 §5.2). */
function toldError(error: PlatformError, kinds: readonly CredentialKind[]): string | null {
  if (kinds.includes('client')) return null;
  if (error.wire === 'invalid_token') return error.oauth ?? 'invalid_token';
  if (error.code === 'request.two_credentials') return 'invalid_request';
  return error.code === 'forbidden' ? 'insufficient_scope' : null;
}

function headerText({ headers }: IncomingCall): string {
  const header = headers['authorization'];
  return typeof header === 'string' ? header : '';
}

/** RFC 6750 §3: what may stand between the quotes. */
function quotable(text: string): string {
  return text.replaceAll(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'");
}
