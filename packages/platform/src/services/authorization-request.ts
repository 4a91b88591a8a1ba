import * as oauth from 'oauth4webapi';
import { Secret, sha256 } from '@bulkhead/base';
import { isReservedAuthorizeParam } from './service-definition.ts';
import type { UpstreamService } from './service.ts';
import { servicesErrors } from './services-errors.ts';
import type { UpstreamServer } from './upstream-server.ts';
import type { UpstreamClient } from './upstream-tokens.ts';

export interface AuthorizationUrlInput {
  readonly service: UpstreamService;
  readonly server: UpstreamServer;
  readonly client: Pick<UpstreamClient, 'clientId'>;
  /** Our callback at this very authorization server. */
  readonly redirectUri: string;
  readonly state: string;
  /** Of `createPkce`. Sent unless the service is known to choke on it (`pkce: false`). */
  readonly codeChallenge: string;
  /** Of `nonceFor`; null where none is needed. */
  readonly nonce?: string | null;
  readonly scopes: readonly string[];
  /** What the caller passes on (`raw[login_hint]=…`). Parameters that we set ourselves are ignored. */
  readonly extraParams?: Readonly<Record<string, string>>;
}

/** A fresh verifier (256 bits, RFC 7636 §4.1) and its S256 challenge. */
export async function createPkce(): Promise<{ codeVerifier: Secret; codeChallenge: string }> {
  const verifier = oauth.generateRandomCodeVerifier();
  return { codeVerifier: new Secret(verifier), codeChallenge: await oauth.calculatePKCECodeChallenge(verifier) };
}

/**
 * What binds an ID token to its flow where PKCE cannot: without either, a code of another flow at the same client could be put into this one
 * (RFC 9700 §4.5.3). Made from the verifier, which is kept for the callback anyway. Null where PKCE does it or where nobody reads an ID token:
 * some services drop a nonce, and nothing would be won there.
 */
export function nonceFor({ definition }: UpstreamService, codeVerifier: Secret): string | null {
  const { auth, identity } = definition;
  const readsIdToken = auth.type === 'oauth2' && auth.issuer !== undefined && identity?.url === undefined;
  return readsIdToken && !auth.pkce ? sha256(`nonce|${codeVerifier.reveal()}`).toString('base64url') : null;
}

/** The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3) as a URL to send the browser to. */
export function buildAuthorizationUrl(input: AuthorizationUrlInput): string {
  const { service, server } = input;
  const { auth } = service.definition;
  if (auth.type !== 'oauth2') throw new TypeError(`service ${service.definition.id} has no authorization server`);
  const url = new URL(server.authorizationEndpoint);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw servicesErrors('upstream.discovery_failed', { params: { problem: 'authorization_endpoint: expected http or https' } });
  for (const params of [auth.extra_authorize_params ?? {}, input.extraParams ?? {}]) {
    for (const [name, value] of Object.entries(params)) if (!isReservedAuthorizeParam(name)) url.searchParams.set(name, value);
  }
  url.searchParams.set('response_type', 'code');
  url.searchParams.set('client_id', input.client.clientId);
  url.searchParams.set('redirect_uri', input.redirectUri);
  url.searchParams.set('state', input.state);
  if (input.scopes.length > 0) url.searchParams.set(service.quirks.scopeParameter ?? 'scope', input.scopes.join(auth.scope_separator));
  if (input.nonce) url.searchParams.set('nonce', input.nonce);
  if (auth.pkce) {
    url.searchParams.set('code_challenge', input.codeChallenge);
    url.searchParams.set('code_challenge_method', 'S256');
  }
  return url.href;
}
