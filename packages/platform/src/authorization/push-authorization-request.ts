import type { ApplicationId } from '@bulkhead/base';
import type { TenantTx, Tx } from '@bulkhead/postgres';
import { type AuthorizationParameters } from '@bulkhead/protocol';
import type { ClientPrincipal, RequestContext } from '../access/index.ts';
import { findAccount } from '../accounts/index.ts';
import { audit } from '../audit/index.ts';
import { provenKey } from '../tokens/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import type { AuthorizationOptions } from './flow.ts';
import { diesWithCredential } from './identity-instead.ts';
import { offeredServices } from './offered-services.ts';
import { insertPushedRequest, PUSHED_REQUEST_SECONDS } from './pushed-request-store.ts';
import { getClient, readAnswerTarget, readAuthorizationRequest, readParameter } from './read-authorization-request.ts';

interface PushedRequest {
  readonly requestUri: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/**
 * RFC 9126 §2.1: checks the request as the authorization endpoint would and keeps it. Because the client is authenticated it may name the
 * end user, and an account to connect anew. A DPoP proof binds the code to its key (RFC 9449 §10.1).
 */
export async function pushAuthorizationRequest(
  options: AuthorizationOptions,
  context: RequestContext<ClientPrincipal>,
  parameters: AuthorizationParameters,
): Promise<PushedRequest> {
  const { applicationId, apiKeyId } = context.principal;
  if (apiKeyId === null) throw authorizationErrors('authorization.client_authentication');
  if (parameters['request_uri'] !== undefined) throw authorizationErrors('authorization.request_uri_pushed', { field: 'request_uri' });
  const clientId = readParameter(parameters, 'client_id');
  if (clientId !== undefined && clientId !== applicationId)
    throw authorizationErrors('authorization.client_mismatch', { field: 'client_id' });
  const dpopJkt = await provenKey(options, context);
  return options.db.withTenant(applicationId, async (tx) => {
    const settings = await getClient(tx, applicationId);
    const target = await readAnswerTarget(tx, settings, parameters);
    const read = readAuthorizationRequest(settings, target, parameters, { pushed: true, dpopJkt });
    const request = parameters['scope'] === undefined ? await withScopeOfAccount(tx, applicationId, read) : read;
    await offeredServices(tx, settings, request);
    const requestUri = await insertPushedRequest(tx, { applicationId, request, now: context.now });
    await audit(tx, context, { detail: { end_user: request.endUser, account_id: request.reconnectAccountId } });
    return { requestUri, expiresIn: PUSHED_REQUEST_SECONDS };
  });
}

/** An account that is connected anew keeps what it may do, where nobody asks for something else. */
async function withScopeOfAccount(
  tx: TenantTx,
  applicationId: ApplicationId,
  request: AuthorizationRequest,
): Promise<AuthorizationRequest> {
  if (request.reconnectAccountId === null) return request;
  const account = await findAccount(tx, applicationId, request.reconnectAccountId);
  if (account === null) throw authorizationErrors('authorization.unknown_account', { field: 'account_id' });
  return { ...request, scope: account.effectiveScope };
}

interface ReconnectLink {
  readonly url: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/**
 * For `POST /v1/accounts/{id}/reconnect`: a link, good once and for ten minutes, that connects this very account anew and ends on a page.
 * It may be sent to the account's owner: signing in as anybody else changes nothing.
 */
export function reconnectPusher({ publicUrl }: Pick<AuthorizationOptions, 'publicUrl'>) {
  return async (tx: Tx, context: Pick<RequestContext, 'applicationId' | 'now'>, accountId: number): Promise<ReconnectLink> => {
    const { applicationId, now } = context;
    const account = await findAccount(tx, applicationId, accountId);
    if (account === null) throw authorizationErrors('authorization.unknown_account', { field: 'account_id' });
    if (diesWithCredential(account.identityId))
      throw authorizationErrors('authorization.identity_untold', { params: { id: String(accountId) } });
    const request: AuthorizationRequest = {
      responseMode: 'page',
      responseType: 'none',
      redirectUri: null,
      origin: null,
      requestId: null,
      state: null,
      scope: account.effectiveScope,
      codeChallenge: null,
      dpopJkt: null,
      customProperties: null,
      rawParameters: {},
      accountHint: null,
      endUser: account.endUser,
      reconnectAccountId: accountId,
    };
    const requestUri = await insertPushedRequest(tx, { applicationId, request, now });
    const query = new URLSearchParams({ client_id: applicationId, request_uri: requestUri });
    return { url: `${publicUrl()}/v1/oauth?${query.toString()}`, expiresIn: PUSHED_REQUEST_SECONDS };
  };
}
