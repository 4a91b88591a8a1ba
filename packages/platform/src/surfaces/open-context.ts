import { type ApplicationId, applicationId, type Clock, type Log, PlatformError } from '@bulkhead/base';
import { type AnyRoute, httpErrors, type IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { APP_SCOPES, effectiveScopes, FUNCTION_SCOPES } from '@bulkhead/protocol';
import { type CredentialKind, type InstallPrincipal, type InvocationPrincipal, type Principal, RequestContext } from '../access/index.ts';
import { isOwnedBy } from '../applications/index.ts';
import type { CredentialUses } from '../audit/index.ts';
import { coversScope } from '../developers/index.ts';
import type { PresentedToken } from '../tokens/index.ts';
import { takesBasic } from './challenge.ts';
import { acceptedUse, refusedUse } from './credential-use.ts';
import type { RequestRates } from './request-rates.ts';

/** The one credential of a request: scheme in lower case, and what followed it. */
interface Presented {
  readonly scheme: string;
  readonly value: string;
}

export interface Authenticators {
  readonly metaToken: (token: string) => Promise<Principal | null>;
  readonly apiKey: (key: string, now: Date) => Promise<Principal | null>;
  readonly bearer: (presented: PresentedToken) => Promise<Principal | null>;
  /** Judges the whole request: its token was made for it. */
  readonly install: (token: string, call: IncomingCall, now: Date) => Promise<Principal | null>;
  /** A token by which an App acts for a user: good for any request of that Application's. */
  readonly userToken: (token: string, call: IncomingCall, now: Date) => Promise<Principal | null>;
  /** Of a running call of a function. */
  readonly invocation: (token: string, now: Date) => Promise<Principal | null>;
  /** Reads header and form itself: RFC 6749 §2.3 knows several ways. */
  readonly client: (call: IncomingCall) => Promise<Principal | null>;
}

export interface OpenContextParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly authenticators: Authenticators;
  /** Counts every credential that is brought, good or not, before anything else is asked. */
  readonly uses: Pick<CredentialUses, 'record' | 'recordOf'>;
  /** Counts every request whose caller is known, before anything is done for it. */
  readonly rates: Pick<RequestRates, 'take'>;
}

/** Joins what a route accepts with who can tell: the only place where routes and authenticators meet. */
export function openContext(parts: OpenContextParts): (call: IncomingCall, route: AnyRoute) => Promise<RequestContext> {
  return async (call, route) => {
    const now = new Date(parts.clock.now());
    const principal = await recorded(parts, call, route, now);
    if (principal !== null) parts.rates.take(principal, route, call);
    const named = call.params['application_id'];
    const owned =
      principal?.kind === 'meta_token' && named !== undefined ? await ownedApplication(parts.db, named, principal.organizationId) : null;
    if (principal?.kind === 'meta_token' && route.scope !== null && !coversScope(principal.scopes, route.scope))
      throw httpErrors('forbidden', { params: { scope: route.scope } });
    if (principal?.kind === 'install') assertGranted(principal, route);
    if (principal?.kind === 'invocation') assertDeclared(principal, route);
    return new RequestContext({
      requestId: call.requestId,
      principal,
      applicationId: owned ?? (principal !== null && 'applicationId' in principal ? principal.applicationId : null),
      now,
      log: () => parts.log.child({ requestId: call.requestId, route: route.id }),
      call,
      auditAction: route.audit,
    });
  };
}

/**
 * What an App was granted where it was installed covers what the route asks for. What asks for nothing is the App's own, and no user's: a token
 * for one does not open it.
 */
function assertGranted({ scopes, userId }: InstallPrincipal, { scope, credentials }: AnyRoute): void {
  if (scope === null && userId !== null)
    throw httpErrors('unauthorized.wrong_kind', {
      params: { sent: 'a token of an App for a user', expected: expectedOf(credentials as readonly CredentialKind[]) },
    });
  if (scope === null) return;
  const needed = APP_SCOPES.find((each) => scope === `app:${each}`);
  if (needed === undefined || !effectiveScopes(scopes).has(needed)) throw httpErrors('forbidden', { params: { scope: needed ?? scope } });
}

/** What a function may do was declared by its manifest and approved for its install; to list accounts, its App may READ as well. */
function assertDeclared({ scopes, appScopes }: InvocationPrincipal, { scope }: AnyRoute): void {
  if (scope === null) return;
  const needed = FUNCTION_SCOPES.find((each) => scope === `function:${each}`);
  if (needed === undefined || !scopes.includes(needed)) throw httpErrors('forbidden', { params: { scope: needed ?? scope } });
  if (!effectiveScopes(appScopes).has('READ')) throw httpErrors('forbidden', { params: { scope: 'READ' } });
}

/** Every authenticated route passes here: none can forget to have its use recorded. */
async function recorded(parts: OpenContextParts, call: IncomingCall, route: AnyRoute, now: Date): Promise<Principal | null> {
  const { uses } = parts;
  try {
    const principal = await authenticate(parts, call, route, now);
    if (principal !== null) uses.recordOf(principal, route.id, call.remoteAddress, () => acceptedUse(principal, call, route));
    return principal;
  } catch (thrown) {
    const refused = thrown instanceof PlatformError && thrown.status < 500 ? refusedUse(call, route) : null;
    if (refused !== null) uses.record(refused);
    throw thrown;
  }
}

async function authenticate(
  { authenticators }: OpenContextParts,
  call: IncomingCall,
  route: AnyRoute,
  now: Date,
): Promise<Principal | null> {
  const kinds = route.credentials as readonly CredentialKind[];
  if (kinds.length === 0) return null;
  if ('access_token' in call.query) throw httpErrors('request.two_credentials', { field: 'access_token', detail: 'a token in the URL' });
  if (kinds.includes('client')) {
    const client = await authenticators.client(call);
    if (client === null) throw httpErrors('unauthorized', { params: { expected: 'client_id, and an API key as client secret' } });
    return client;
  }
  const presented = presentedCredential(call);
  const meant = presented !== null && takesBasic(route) ? asMetaToken(presented) : presented;
  const principal = meant === null ? null : await byScheme(authenticators, kinds, meant, call, now);
  if (principal === null) throw refusal(kinds, presented, route.invalidToken?.(call) ?? 'token.invalid');
  return principal;
}

function presentedCredential(call: IncomingCall): Presented | null {
  const header = call.headers['authorization'];
  if (typeof header !== 'string') return null;
  const match = /^([A-Za-z]+) +([\x21-\x7E]+) *$/.exec(header);
  return match ? { scheme: match[1]!.toLowerCase(), value: match[2]! } : { scheme: '', value: '' };
}

/** Basic with a Meta token as password (RFC 7617), whatever the name, as the Meta token that it is. */
function asMetaToken(presented: Presented): Presented {
  if (presented.scheme !== 'basic') return presented;
  const decoded = Buffer.from(presented.value, 'base64').toString('utf8');
  return { scheme: 'bearer', value: decoded.slice(decoded.indexOf(':') + 1) };
}

/** A Bearer of an account and a Meta token share the scheme; the route says which of them is meant. */
function byScheme(
  authenticators: Authenticators,
  kinds: readonly CredentialKind[],
  { scheme, value }: Presented,
  call: IncomingCall,
  now: Date,
): Promise<Principal | null> | null {
  if (scheme === 'apikey' && kinds.includes('api_key')) return authenticators.apiKey(value, now);
  if ((scheme === 'bearer' || scheme === 'developerkey') && kinds.includes('meta_token')) return authenticators.metaToken(value);
  if (scheme === 'jwt' && kinds.includes('install')) return authenticators.install(value, call, now);
  if (scheme === 'bearer' && kinds.includes('install')) return authenticators.userToken(value, call, now);
  if (scheme === 'bearer' && kinds.includes('invocation')) return authenticators.invocation(value, now);
  if ((scheme === 'bearer' || scheme === 'dpop') && kinds.includes('bearer')) return authenticators.bearer({ token: value, scheme, call });
  return null;
}

const KINDS_BY_PREFIX: Readonly<Record<string, { readonly kind: CredentialKind; readonly scheme: string; readonly name: string }>> = {
  bhk_: { kind: 'api_key', scheme: 'apikey', name: 'an API key' },
  bha_: { kind: 'bearer', scheme: 'bearer', name: 'an access token' },
  bhm_: { kind: 'meta_token', scheme: 'bearer', name: 'a Meta token' },
  bhi_: { kind: 'invocation', scheme: 'bearer', name: 'the token of a running function' },
  bhu_: { kind: 'install', scheme: 'bearer', name: 'a token of an App for a user' },
};

const WORDS: Readonly<Record<CredentialKind, string>> = {
  meta_token: '"Authorization: Bearer META_TOKEN"',
  api_key: '"Authorization: APIKey KEY"',
  bearer: '"Authorization: Bearer TOKEN"',
  client: 'client authentication',
  install: '"Authorization: JWT TOKEN", made for this request and signed with the shared secret of the install',
  invocation: '"Authorization: Bearer TOKEN" of a call that is running',
};

function expectedOf(kinds: readonly CredentialKind[]): string {
  return kinds.map((kind) => WORDS[kind]).join(' or ');
}

function refusal(
  kinds: readonly CredentialKind[],
  presented: Presented | null,
  invalidToken: 'token.invalid' | 'token.invalid_at_verify' | 'token.invalid_at_picker',
): Error {
  // Kloudless's clients branch on the status: it counts for more than the better sentence.
  const isToken = (presented?.scheme === 'bearer' || presented?.scheme === 'dpop') && kinds.includes('bearer');
  if (isToken && invalidToken !== 'token.invalid') return httpErrors(invalidToken);
  // The prefix alone tells what was sent; nothing is looked up, so nothing is told of whether it is good.
  const sent = presented === null ? undefined : KINDS_BY_PREFIX[presented.value.slice(0, 4)];
  if (isToken && sent?.kind === 'bearer') return httpErrors(invalidToken);
  if (sent !== undefined && (!kinds.includes(sent.kind) || presented?.scheme !== sent.scheme))
    return httpErrors('unauthorized.wrong_kind', { params: { sent: sent.name, expected: expectedOf(kinds) } });
  if (isToken) return httpErrors(invalidToken);
  return httpErrors('unauthorized', { params: { expected: expectedOf(kinds) } });
}

async function ownedApplication(db: Database, named: string, organizationId: string): Promise<ApplicationId> {
  if (!applicationId.is(named)) throw httpErrors('not_found');
  if (!(await db.withTenant(named, (tx) => isOwnedBy(tx, named, organizationId)))) throw httpErrors('not_found');
  return named;
}
