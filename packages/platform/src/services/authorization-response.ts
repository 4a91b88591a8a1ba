import * as oauth from 'oauth4webapi';
import { metadataOf, oauth2Of } from './client-authentication.ts';
import { servicesErrors } from './services-errors.ts';
import { plainErrorCode } from './token-answer.ts';
import type { UpstreamService } from './service.ts';
import type { UpstreamServer } from './upstream-server.ts';
import type { UpstreamClient } from './upstream-tokens.ts';

export interface AuthorizationResponseInput {
  readonly service: UpstreamService;
  readonly server: UpstreamServer;
  readonly client: UpstreamClient;
  /** The whole query of the callback. */
  readonly parameters: URLSearchParams;
  /** Where the caller keeps it; without it the caller has compared `state` by its hash before. */
  readonly expectedState?: string;
}

/**
 * Checks the authorization response before anything is sent: one value per parameter, `iss` as promised and as asked (RFC 9207 §2.4),
 * `state`, then the error it may carry (RFC 6749 §4.1.2.1), then the code.
 */
export function checkAuthorizationResponse({
  service,
  server,
  client,
  parameters,
  expectedState,
}: AuthorizationResponseInput): URLSearchParams {
  oauth2Of(service);
  const checked = new URLSearchParams();
  for (const name of ['iss', 'state', 'code', 'error', 'response', 'id_token'] as const) {
    const values = parameters.getAll(name);
    if (values.length > 1) throw servicesErrors('upstream.callback_malformed', { detail: `"${name}" occurs ${values.length} times` });
    if (values[0] !== undefined && values[0].length > 4096)
      throw servicesErrors('upstream.callback_malformed', { detail: `"${name}" is too long` });
    if (values[0] !== undefined) checked.set(name, values[0]);
  }
  const iss = checked.get('iss');
  if (iss === null ? server.issPromised : server.issuer !== null && iss !== server.issuer)
    throw servicesErrors('upstream.issuer_mismatch', { detail: iss === null ? 'iss is missing' : 'iss differs' });
  if (iss !== null && server.issuer === null) checked.delete('iss');
  if (expectedState !== undefined && checked.get('state') !== expectedState) throw servicesErrors('upstream.state_mismatch');
  const error = checked.get('error');
  if (error === 'access_denied' || error === 'user_cancelled_login' || error === 'user_cancelled_authorize')
    throw servicesErrors('upstream.access_denied');
  if (error !== null)
    throw servicesErrors('upstream.authorization_failed', { params: { error: plainErrorCode(error) ?? 'unknown_error' } });
  if (!checked.get('code')) throw servicesErrors('upstream.callback_malformed', { detail: 'there is no code' });
  try {
    return oauth.validateAuthResponse(metadataOf(server), { client_id: client.clientId }, checked, oauth.skipStateCheck);
  } catch (cause) {
    throw servicesErrors('upstream.callback_malformed', { detail: cause instanceof Error ? cause.message : 'unknown' });
  }
}
