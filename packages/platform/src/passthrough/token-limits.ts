import { allowsPassthrough, effectiveScopes } from '@bulkhead/protocol';
import type { ApiKeyPrincipal, BearerPrincipal, InstallPrincipal, InvocationPrincipal } from '../access/index.ts';
import { methodsOfScope } from '../services/index.ts';
import { passthroughErrors } from './passthrough-errors.ts';

export interface LimitedCall {
  readonly method: string;
  /** Relative to the base URL; null where the call goes elsewhere on the host. */
  readonly path: string | null;
  /** Empty, or with its question mark. */
  readonly query: string;
  /** `Origin` header of the caller's browser. */
  readonly origin: string | null;
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Query parameters by which upstreams take another method than the one that arrives (Salesforce, Rails, Laravel, old Google APIs). */
const METHOD_PARAMETERS = new Set([
  '-method',
  '-httpmethod',
  '$httpmethod',
  'httpmethod',
  'http-method',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]);

function namesAnotherMethod(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => METHOD_PARAMETERS.has(name.toLowerCase().replaceAll('_', '-')));
}

/** Who may have a call forwarded. */
export type ForwardingPrincipal = ApiKeyPrincipal | BearerPrincipal | InstallPrincipal | InvocationPrincipal;

/** Whether the principal is bound to less than everything its account may do. */
export function isLimited(principal: ForwardingPrincipal): boolean {
  if (principal.kind === 'install' || principal.kind === 'invocation') return true;
  return principal.kind === 'bearer' && (principal.authorizationDetails !== null || methodsOfScope(principal.scope) !== 'all');
}

/** Whether an account is there for the principal at all: for an App or a function that acts for a user, those of the user only. */
export function isReached(principal: ForwardingPrincipal, { endUser }: { readonly endUser: string | null }): boolean {
  const isOfApp = principal.kind === 'install' || principal.kind === 'invocation';
  return !isOfApp || principal.userId === null || principal.userId === endUser;
}

/** What an App needs for a method (scopes of Atlassian Connect). */
function scopeOfMethod(method: string): 'READ' | 'WRITE' | 'DELETE' {
  return SAFE.has(method) ? 'READ' : method === 'DELETE' ? 'DELETE' : 'WRITE';
}

/**
 * Throws `passthrough.not_allowed` where the token's scope or `authorization_details` exclude the call (RFC 9396 §5), or the scopes of an
 * App its method.
 */
export function assertAllowed(principal: ForwardingPrincipal, call: LimitedCall): void {
  if (principal.kind === 'api_key') return;
  if (principal.kind === 'install' || principal.kind === 'invocation') {
    // A function may do what its App may.
    const granted = principal.kind === 'install' ? principal.scopes : principal.appScopes;
    const isGranted = effectiveScopes(granted).has(scopeOfMethod(call.method));
    if (!isGranted || namesAnotherMethod(call.query)) throw passthroughErrors('passthrough.not_allowed');
    return;
  }
  const methods = methodsOfScope(principal.scope);
  const byScope = methods === 'all' || (methods === 'safe' && SAFE.has(call.method));
  const details = principal.authorizationDetails;
  const namesMethods = methods !== 'all' || (details?.some((detail) => detail.methods !== undefined) ?? false);
  const namesPath = details?.some((detail) => detail.path_prefix !== undefined) ?? false;
  // Where no detail names a path, a place outside the base URL is as good as any.
  const path = call.path ?? (namesPath ? null : '/');
  const byDetails = details === null || (path !== null && allowsPassthrough(details, { method: call.method, path, origin: call.origin }));
  if (!byScope || !byDetails || (namesMethods && namesAnotherMethod(call.query))) throw passthroughErrors('passthrough.not_allowed');
}
