import { type Clock, PlatformError } from '@bulkhead/base';
import { plainErrorCode } from './token-answer.ts';
import { callUpstream, parseJsonObject, type UpstreamAnswer } from './upstream-http.ts';
import { clientAuthentication } from './client-authentication.ts';
import type { UpstreamExchange } from './upstream-oauth.ts';
import type { RevokeResult, UpstreamTokens } from './upstream-tokens.ts';

const ANSWER_BYTES_MAX = 64 * 1024;

export interface RevokeInput extends Omit<UpstreamExchange, 'clock'> {
  readonly tokens: Pick<UpstreamTokens, 'accessToken' | 'refreshToken'>;
  readonly clock?: Clock;
}

type Send = (input: RevokeInput, endpoint: string) => Promise<UpstreamAnswer>;

const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };

/** RFC 7009 §2.1. The refresh token where there is one: with it the whole grant ends. */
function revocationBody({ tokens }: RevokeInput): URLSearchParams {
  const { refreshToken, accessToken } = tokens;
  return new URLSearchParams({
    token: (refreshToken ?? accessToken).reveal(),
    token_type_hint: refreshToken ? 'refresh_token' : 'access_token',
  });
}

const rfc7009: Send = async (input, endpoint) => {
  const { auth } = input.service.definition;
  if (auth.type !== 'oauth2') throw new TypeError('only OAuth 2.0 services revoke');
  const body = revocationBody(input);
  const headers = new Headers(form);
  await clientAuthentication(auth, input.client)({ issuer: '' }, { client_id: input.client.clientId }, body, headers);
  return callUpstream(
    input.call,
    endpoint,
    { method: 'POST', headers: Object.fromEntries(headers), body: body.toString() },
    ANSWER_BYTES_MAX,
  );
};

const tokenOnly: Send = (input, endpoint) =>
  callUpstream(input.call, endpoint, { method: 'POST', headers: form, body: revocationBody(input).toString() }, ANSWER_BYTES_MAX);

const bearer: Send = ({ call, tokens }, endpoint) =>
  callUpstream(
    call,
    endpoint,
    { method: 'POST', headers: { accept: 'application/json', authorization: `Bearer ${tokens.accessToken.reveal()}` } },
    ANSWER_BYTES_MAX,
  );

const github: Send = ({ call, client, tokens }, endpoint) => {
  const pair = Buffer.from(`${client.clientId}:${client.clientSecret?.reveal() ?? ''}`).toString('base64');
  return callUpstream(
    call,
    endpoint.replace('{client_id}', encodeURIComponent(client.clientId)),
    {
      method: 'DELETE',
      headers: { authorization: `Basic ${pair}`, accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'bulkhead' },
      body: JSON.stringify({ access_token: tokens.accessToken.reveal() }),
    },
    ANSWER_BYTES_MAX,
  );
};

const styles = { rfc7009, token_only: tokenOnly, bearer, github };

/**
 * Revokes at the upstream. A token that was dead already is revoked (RFC 7009 §2.2). Never throws for what an upstream does: the
 * account goes anyway, and the result is for the record.
 */
export async function revoke(input: RevokeInput): Promise<RevokeResult> {
  const endpoint = input.server.revocationEndpoint;
  if (endpoint === null) return { kind: 'unsupported' };
  try {
    const answer = await styles[input.service.quirks.revocation ?? 'rfc7009'](input, endpoint);
    const document = parseJsonObject(answer.text);
    const error = plainErrorCode(document?.['error']);
    const dead = error === 'invalid_token' || error === 'token_revoked' || error === 'invalid_grant' || answer.status === 404;
    const done = answer.status >= 200 && answer.status < 300 && document?.['ok'] !== false;
    return done || dead ? { kind: 'revoked' } : { kind: 'failed', error: error ?? `status ${answer.status}` };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { kind: 'failed', error: error.code };
  }
}
