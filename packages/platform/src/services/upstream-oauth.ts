import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { type Clock, epochSeconds, PlatformError, Secret, systemClock } from '@bulkhead/base';
import { type AuthorizationResponseInput, checkAuthorizationResponse } from './authorization-response.ts';
import { nonceFor } from './authorization-request.ts';
import { clientAuthentication, metadataOf, oauth2Of } from './client-authentication.ts';
import { readScalar } from './json-pointer.ts';
import type { UpstreamService } from './service.ts';
import { servicesErrors } from './services-errors.ts';
import { readTokenAnswer, type TokenBody } from './token-answer.ts';
import { callUpstream, type UpstreamAnswer, type UpstreamCall } from './upstream-http.ts';
import type { UpstreamServer } from './upstream-server.ts';
import type { RefreshResult, UpstreamClient, UpstreamTokens } from './upstream-tokens.ts';

const TOKEN_ANSWER_BYTES_MAX = 256 * 1024;
const SCOPES_MAX = 500;

/** One conversation with a token endpoint: who we are, where it is, how to get there. */
export interface UpstreamExchange {
  readonly service: UpstreamService;
  readonly server: UpstreamServer;
  readonly client: UpstreamClient;
  readonly call: UpstreamCall;
  readonly clock: Clock;
}

export interface RedeemInput extends UpstreamExchange, AuthorizationResponseInput {
  /** Exactly as in the authorization request. */
  readonly redirectUri: string;
  readonly codeVerifier: Secret;
  /** What was asked for: granted where the answer names no scope (RFC 6749 §5.1). */
  readonly requestedScopes: readonly string[];
  /** Told as soon as the service has given tokens: what is checked after that may refuse them, and somebody must give them back. */
  readonly onTokens?: (tokens: Pick<UpstreamTokens, 'accessToken' | 'refreshToken'>) => void;
}

interface Seen {
  answer?: UpstreamAnswer;
  /** The error code of the answer, or why it cannot be used. */
  error?: string;
  junk?: string;
  document?: Readonly<Record<string, unknown>>;
  body?: TokenBody;
}

/** A fetch for oauth4webapi that hands it the answer in the form of RFC 6749 §5 and remembers what came. */
function tolerantFetch(exchange: UpstreamExchange, seen: Seen) {
  return async (
    url: string,
    init: { method: string; headers: Record<string, string>; body?: unknown; signal?: AbortSignal | undefined },
  ): Promise<Response> => {
    const body = init.body instanceof URLSearchParams ? init.body.toString() : null;
    const answer = await callUpstream(exchange.call, url, { method: init.method, headers: init.headers, body }, TOKEN_ANSWER_BYTES_MAX);
    seen.answer = answer;
    const read = readTokenAnswer(answer, exchange.service.quirks);
    const json = (status: number, value: unknown) =>
      new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
    if (read.kind === 'junk') {
      seen.junk = read.problem;
      return json(502, {});
    }
    if (read.kind === 'error') {
      seen.error = read.error;
      return json(400, { error: read.error });
    }
    seen.document = read.document;
    seen.body = read.body;
    return json(200, withoutUnusedIdToken(exchange, read.body));
  };
}

/** The ID token matters only where the identity is read from it; elsewhere its oddities must not end the flow. */
function withoutUnusedIdToken({ service, server }: UpstreamExchange, body: TokenBody): TokenBody {
  if (server.issuer !== null && service.definition.identity?.url === undefined) return body;
  const { id_token: _unused, ...rest } = body;
  return rest;
}

function oauthOptions(exchange: UpstreamExchange, seen: Seen) {
  return {
    [oauth.allowInsecureRequests]: true as const, // whether http is allowed anywhere is decided by egress
    [oauth.customFetch]: tolerantFetch(exchange, seen),
  };
}

function oauthClient({ client, clock }: UpstreamExchange): oauth.Client {
  return {
    client_id: client.clientId,
    [oauth.clockSkew]: epochSeconds(clock) - epochSeconds(systemClock), // oauth4webapi reads the system's
    [oauth.clockTolerance]: 60,
  };
}

const CLIENT_ERRORS: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_client_id',
  'bad_client_secret',
  'incorrect_client_credentials',
  'redirect_uri_mismatch',
  'bad_redirect_uri',
]);
const GRANT_ERRORS: ReadonlySet<string> = new Set([
  'invalid_grant',
  'access_denied',
  'invalid_scope',
  'unsupported_grant_type',
  'consent_required',
  'interaction_required',
  'login_required',
]);

function refusesClient(error: string, service: UpstreamService): boolean {
  return CLIENT_ERRORS.has(error) || (service.quirks.clientErrors ?? []).includes(error);
}

function answerError(seen: Seen, service: UpstreamService): PlatformError {
  const { answer, error, junk } = seen;
  const retry = answer?.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: answer.retryAfterSeconds };
  if (answer !== undefined && answer.status === 429) return servicesErrors('upstream.rate_limited', retry);
  if (error !== undefined && refusesClient(error, service)) return servicesErrors('upstream.client_refused', { params: { error } });
  if (answer !== undefined && answer.status >= 500)
    return servicesErrors('upstream.unavailable', { ...retry, detail: `status ${answer.status}` });
  if (error !== undefined) return servicesErrors('upstream.code_refused', { params: { error } });
  return servicesErrors('upstream.answer_malformed', { params: { problem: junk ?? 'it does not follow RFC 6749 §5.1' } });
}

/** What to throw for a failed exchange. What is neither the upstream's doing nor the way's is a fault of ours and stays as it is. */
function toExchangeError(error: unknown, seen: Seen, service: UpstreamService): unknown {
  if (seen.error !== undefined || seen.junk !== undefined) return answerError(seen, service);
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    // Its messages are fixed texts; its cause quotes the answer and is left behind.
    return servicesErrors('upstream.answer_malformed', {
      params: { problem: 'its ID token or token response is not valid' },
      detail: error.message,
    });
  }
  return error;
}

/** What of a scope could be one (RFC 6749 §3.3, but for services that go beyond ASCII): the database keeps no control characters. */
function splitScopes(scope: string): readonly string[] {
  return [...new Set(scope.split(/[ ,]+/).filter((part) => /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(part)))].slice(0, SCOPES_MAX);
}

function secretsOf(body: { readonly access_token: string; readonly refresh_token?: string | undefined }) {
  return {
    accessToken: new Secret(body.access_token),
    ...(body.refresh_token === undefined ? {} : { refreshToken: new Secret(body.refresh_token) }),
  };
}

/** Whose an unread ID token says it is. Only ever compared: its claims were not checked, and where it is none nothing is lost. */
function subjectOf(document: Seen['document']): { readonly idTokenSubject?: string } {
  try {
    const { sub } = decodeJwt(String(document?.['id_token']));
    return typeof sub === 'string' ? { idTokenSubject: sub } : {};
  } catch {
    return {};
  }
}

function toTokens(exchange: UpstreamExchange, seen: Seen, body: oauth.TokenEndpointResponse): UpstreamTokens {
  const claims = oauth.getValidatedIdTokenClaims(body);
  const scopes = splitScopes(body.scope ?? '');
  const kept = Object.entries(exchange.service.quirks.keep ?? {}).flatMap(([name, pointer]) => {
    const value = readScalar(seen.document, pointer, 2048);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...secretsOf(body),
    ...(body.expires_in === undefined ? {} : { expiresAt: exchange.clock.now() + body.expires_in * 1000 }),
    ...(scopes.length === 0 ? {} : { grantedScopes: scopes }),
    ...(claims === undefined ? {} : { idTokenClaims: claims }),
    ...subjectOf(seen.document),
    kept: Object.fromEntries(kept),
  };
}

/**
 * Redeems the code of a callback (RFC 6749 §4.1.3, RFC 7636 §4.5). Everything in the response is checked first: on a wrong or
 * missing `iss` no token request is made. Throws `upstream.*`.
 */
export async function redeemCode(input: RedeemInput): Promise<UpstreamTokens> {
  const auth = oauth2Of(input.service);
  const response = checkAuthorizationResponse(input);
  const seen: Seen = {};
  const server = metadataOf(input.server);
  const client = oauthClient(input);
  try {
    const answer = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      clientAuthentication(auth, input.client),
      response,
      input.redirectUri,
      auth.pkce ? input.codeVerifier.reveal() : oauth.nopkce,
      oauthOptions(input, seen),
    );
    const nonce = nonceFor(input.service, input.codeVerifier);
    const expected = nonce === null ? {} : { expectedNonce: nonce };
    if (seen.body !== undefined) input.onTokens?.(secretsOf(seen.body));
    const tokens = toTokens(input, seen, await oauth.processAuthorizationCodeResponse(server, client, answer, expected));
    return tokens.grantedScopes === undefined ? { ...tokens, grantedScopes: input.requestedScopes } : tokens;
  } catch (error) {
    throw toExchangeError(error, seen, input.service);
  }
}

function refusal(exchange: UpstreamExchange, seen: Seen): RefreshResult | null {
  const { answer, error } = seen;
  if (answer === undefined || error === undefined || answer.status >= 500 || answer.status === 429) return null;
  // What a service means by a code goes before what the code usually means.
  if ((exchange.service.quirks.permanentErrors ?? []).includes(error)) return { kind: 'permanent', reason: 'grant', error };
  if (refusesClient(error, exchange.service)) return { kind: 'permanent', reason: 'client', error };
  return GRANT_ERRORS.has(error) ? { kind: 'permanent', reason: 'grant', error } : null;
}

/**
 * Refreshes (RFC 6749 §6). Never throws for what an upstream does: a dead refresh token is `permanent`; outages, junk and errors
 * nobody has heard of are `transient`, because a lost account costs more than another try. Where the answer brings no new
 * refresh token the old one stays.
 */
export async function refresh(exchange: UpstreamExchange & { readonly refreshToken: Secret }): Promise<RefreshResult> {
  const auth = oauth2Of(exchange.service);
  const seen: Seen = {};
  const server = metadataOf(exchange.server);
  const client = oauthClient(exchange);
  try {
    const answer = await oauth.refreshTokenGrantRequest(
      server,
      client,
      clientAuthentication(auth, exchange.client),
      exchange.refreshToken.reveal(),
      oauthOptions(exchange, seen),
    );
    // An ID token that comes with a refresh has nothing to tell us: the account is known.
    const { id_token: _unused, ...body } = (await answer.json()) as Record<string, unknown>;
    const clean = new Response(JSON.stringify(body), { status: answer.status, headers: { 'content-type': 'application/json' } });
    const tokens = toTokens(exchange, seen, await oauth.processRefreshTokenResponse(server, client, clean));
    const refreshToken = tokens.refreshToken ?? exchange.refreshToken;
    return { kind: 'ok', tokens: { ...tokens, refreshToken }, rotated: refreshToken.reveal() !== exchange.refreshToken.reveal() };
  } catch (error) {
    const refused = refusal(exchange, seen);
    if (refused !== null) return refused;
    const known = toExchangeError(error, seen, exchange.service);
    if (!(known instanceof PlatformError)) throw known;
    const retryAfterSeconds = seen.answer?.retryAfterSeconds;
    return { kind: 'transient', error: seen.error ?? known.code, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  }
}
