import { constantTimeEqual, PlatformError, type Secret } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { TenantTx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { findService, getApplicationSettings, openOAuthKey } from '../applications/index.ts';
import { fetchIdentity, redeemCode, type UpstreamClient, type UpstreamService } from '../services/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { isSameBrowser } from './browser-marker.ts';
import { endpointsDigest } from './depart-upstream.ts';
import { finishAuthorization, type Obtained } from './finish-authorization.ts';
import { type AuthorizationOptions, upstreamCall } from './flow.ts';
import { endCookies, endWithError, type OpenFlow } from './open-flow.ts';
import { recheckAnswerTarget } from './read-authorization-request.ts';
import {
  consumeTransaction,
  findTransactionByState,
  openCodeVerifier,
  type Transaction,
  transactionCredential,
  type UpstreamLeg,
} from './transaction-store.ts';

/** Everything a code is redeemed with, taken from the flow that this response belongs to. */
interface Accepted {
  readonly service: UpstreamService;
  readonly client: UpstreamClient;
  readonly leg: UpstreamLeg;
  readonly codeVerifier: Secret;
}

/** How a response was judged. In every case the flow is over: a value, because a thrown error would undo that. */
type Judged =
  | { readonly kind: 'refused'; readonly error: PlatformError }
  | { readonly kind: 'ended'; readonly open: OpenFlow; readonly error: PlatformError }
  | { readonly kind: 'accepted'; readonly open: OpenFlow; readonly accepted: Accepted };

/**
 * An upstream's authorization response (RFC 6749 §4.1.2). `state` names the Application; the flow it belongs to is compared in everything
 * (browser, path, service, key, endpoints) and consumed, and only then is the code redeemed, with no database connection held. A response
 * that comes to another browser than the one that was sent ends the flow.
 */
export async function receiveAuthorizationResponse(
  options: AuthorizationOptions,
  context: RequestContext,
  callbackId: string,
  parameters: URLSearchParams,
): Promise<Answer> {
  const states = parameters.getAll('state');
  const named = states.length === 1 ? transactionCredential.parse(states[0]!) : null;
  if (named === null) throw authorizationErrors('authorization.flow_unknown');
  const judged = await options.db.withTenant(named.applicationId, async (tx): Promise<Judged> => {
    const flow = await findTransactionByState(tx, named.applicationId, named.hash);
    // Found, it is over, whatever else is wrong; and of two that come at once the second is told so.
    if (flow === null || !(await consumeTransaction(tx, flow, context.now)))
      return { kind: 'refused', error: authorizationErrors('authorization.flow_unknown') };
    return judge(tx, options, context, callbackId, flow);
  });
  if (judged.kind === 'refused') throw judged.error;
  if (judged.kind === 'ended') return endWithError(options, context, judged.open, judged.error);
  const { flow, settings } = judged.open;
  try {
    const obtained = await obtain(options, judged.accepted, flow, parameters);
    return await finishAuthorization(options, context, { settings, target: flow.request, cookies: endCookies(options, flow) }, obtained);
  } catch (thrown) {
    return endWithError(options, context, judged.open, thrown);
  }
}

async function judge(
  tx: TenantTx,
  options: AuthorizationOptions,
  context: RequestContext,
  callbackId: string,
  flow: Transaction,
): Promise<Judged> {
  if (!isSameBrowser(context.call.headers['cookie'], flow, options.publicUrl()))
    return { kind: 'refused', error: authorizationErrors('authorization.other_browser') };
  if (flow.expiresAt <= context.now) return { kind: 'refused', error: authorizationErrors('authorization.flow_expired') };
  const settings = await getApplicationSettings(tx, flow.applicationId);
  if (settings === null || !settings.active) return { kind: 'refused', error: authorizationErrors('authorization.unknown_client') };
  const open: OpenFlow = { flow, settings };
  try {
    await recheckAnswerTarget(tx, settings, flow.request);
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    return { kind: 'refused', error: thrown };
  }
  const accepted = await acceptedLeg(tx, options, callbackId, open);
  return accepted === null
    ? { kind: 'ended', open, error: authorizationErrors('authorization.service_changed', { detail: `callback ${callbackId}` }) }
    : { kind: 'accepted', open, accepted };
}

/**
 * Null where the response came to another path than it was asked to, the service is offered no more, or service, key or endpoints are no
 * longer those it was asked for.
 */
async function acceptedLeg(
  tx: TenantTx,
  options: AuthorizationOptions,
  callbackId: string,
  { flow, settings }: OpenFlow,
): Promise<Accepted | null> {
  const { applicationId, upstream: leg } = flow;
  if (leg === null || leg.callbackId !== callbackId || settings.enabledServices?.includes(leg.service) === false) return null;
  const connectable = await findService(tx, applicationId, leg.service);
  const key = await openOAuthKey(tx, options.vault, applicationId, leg.service);
  if (connectable === null || key === null || key.oauthKeyId !== leg.oauthKeyId) return null;
  if (!constantTimeEqual(endpointsDigest(connectable, key), leg.endpointsDigest)) return null;
  return { service: connectable.service, client: key, leg, codeVerifier: await openCodeVerifier(tx, options.vault, flow) };
}

/** Redeems the code and asks whose account it opens. */
async function obtain(
  options: AuthorizationOptions,
  { service, client, leg, codeVerifier }: Accepted,
  flow: Transaction,
  parameters: URLSearchParams,
): Promise<Obtained> {
  const call = upstreamCall(options, flow.applicationId);
  const tokens = await redeemCode({
    service,
    client,
    call,
    codeVerifier,
    parameters,
    server: leg.server,
    clock: options.clock,
    redirectUri: leg.redirectUri,
    requestedScopes: leg.requestedScopes,
  });
  const identity = await fetchIdentity({
    service,
    credential: { type: 'oauth2', accessToken: tokens.accessToken },
    kept: tokens.kept,
    call,
    ...(tokens.idTokenClaims === undefined ? {} : { idTokenClaims: tokens.idTokenClaims }),
  });
  return { service, credential: tokens, identity, grantedScopes: tokens.grantedScopes ?? null };
}
