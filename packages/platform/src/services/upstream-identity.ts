import { placeCredential, type UpstreamCredential } from './credential-placement.ts';
import { readScalar } from './json-pointer.ts';
import { apiBaseUrl, type UpstreamService } from './service.ts';
import { resolveUnderBase } from './service-url.ts';
import { servicesErrors } from './services-errors.ts';
import { callUpstream, parseJsonObject, type UpstreamCall } from './upstream-http.ts';
import type { UpstreamIdentity } from './upstream-tokens.ts';

const IDENTITY_BYTES_MAX = 1024 * 1024;

export interface IdentityInput {
  readonly service: UpstreamService;
  readonly credential: UpstreamCredential;
  readonly kept?: Readonly<Record<string, string>>;
  readonly idTokenClaims?: Readonly<Record<string, unknown>>;
  readonly idTokenSubject?: string | undefined;
  readonly call: UpstreamCall;
}

function missing(problem: string) {
  return servicesErrors('upstream.identity_missing', { params: { problem } });
}

function readIdentity(service: UpstreamService, document: Readonly<Record<string, unknown>>): UpstreamIdentity {
  const pointers = service.definition.identity ?? { id: '/sub' };
  const id = readScalar(document, pointers.id);
  if (id === undefined) throw missing(`nothing usable at ${pointers.id}`);
  const { identityQualifier } = service.quirks;
  const qualifier = identityQualifier === undefined ? undefined : readScalar(document, identityQualifier);
  if (identityQualifier !== undefined && qualifier === undefined) throw missing(`nothing usable at ${identityQualifier}`);
  const namePointers =
    service.definition.identity === undefined ? ['/email', '/preferred_username', '/name'] : [service.definition.identity.name];
  const name = namePointers
    .map((pointer) => (pointer === undefined ? undefined : readScalar(document, pointer)))
    .find((text) => text !== undefined);
  return { id: qualifier === undefined ? id : `${qualifier}/${id}`, name: name ?? id };
}

/**
 * Whose account it is: from the identity answer, or from the ID token's claims. Null where the service offers neither.
 * Throws `upstream.identity_refused` (401, 403), `upstream.identity_missing`, `upstream.identity_conflict` (the ID token names another one), or what `callUpstream` throws.
 */
export async function fetchIdentity({
  service,
  credential,
  kept,
  idTokenClaims,
  idTokenSubject,
  call,
}: IdentityInput): Promise<UpstreamIdentity | null> {
  const { identity } = service.definition;
  if (identity?.url === undefined) {
    if (idTokenClaims !== undefined) return readIdentity(service, idTokenClaims);
    if (identity !== undefined) throw missing('there is no ID token');
    return null;
  }
  const target = identity.url.startsWith('/') ? resolveUnderBase(apiBaseUrl(service, kept), identity.url) : identity.url;
  const placed = placeCredential(service, credential, target);
  const method = service.quirks.identityByPost ? 'POST' : 'GET';
  const answer = await callUpstream(
    call,
    placed.url,
    { method, headers: { accept: 'application/json', 'user-agent': 'bulkhead', ...placed.headers } },
    IDENTITY_BYTES_MAX,
  );
  if (answer.status === 401 || answer.status === 403)
    throw servicesErrors('upstream.identity_refused', { detail: `status ${answer.status}` });
  if (answer.status === 429)
    throw servicesErrors(
      'upstream.rate_limited',
      answer.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: answer.retryAfterSeconds },
    );
  if (answer.status >= 500) throw servicesErrors('upstream.unavailable', { detail: `status ${answer.status}` });
  const document = answer.status === 200 ? parseJsonObject(answer.text) : undefined;
  if (document === undefined) throw missing(answer.status === 200 ? 'the answer is not a JSON object' : `status ${answer.status}`);
  const told = readIdentity(service, document);
  // OpenID Connect Core §5.3.2: where both speak of a subject they must name the same one.
  if (idTokenSubject !== undefined && identity.id === '/sub' && readScalar(document, '/sub') !== idTokenSubject)
    throw servicesErrors('upstream.identity_conflict');
  return told;
}
