import { type ApplicationId, constantTimeEqual, PlatformError, type Secret } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { TenantTx, Tx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { revokeUnused } from '../accounts/index.ts';
import { findService, getApplicationSettings, openOAuthKey } from '../applications/index.ts';
import {
  fetchIdentity,
  redeemCode,
  type UpstreamClient,
  type UpstreamIdentity,
  type UpstreamService,
  type UpstreamTokens,
} from '../services/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { isSameBrowser } from './browser-marker.ts';
import { endpointsDigest } from './depart-upstream.ts';
import { finishAuthorization } from './finish-authorization.ts';
import { type FlowParts, upstreamCall } from './flow.ts';
import { endCookies, endWithError, type OpenFlow } from './open-flow.ts';
import { recheckAnswerTarget } from './read-authorization-request.ts';
import { refusedFlow, writeRefusal } from './record-refusal.ts';
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
  readonly applicationId: ApplicationId;
  readonly service: UpstreamService;
  readonly client: UpstreamClient;
  readonly leg: UpstreamLeg;
  readonly codeVerifier: Secret;
}

/** How a response was judged. In every case the flow is over: a value, because a thrown error would undo that. */
type Judged =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly error: PlatformError }
  | { readonly kind: 'ended'; readonly open: OpenFlow; readonly error: PlatformError }
  | { readonly kind: 'accepted'; readonly open: OpenFlow; readonly accepted: Accepted };

/**
 * An upstream's authorization response (RFC 6749 §4.1.2). `state` names the Application; the flow it belongs to is compared in everything
 * (browser, path, service, key, endpoints) and consumed, and only then is the code redeemed, with no database connection held. A response
 * that comes to another browser than the one that was sent ends the flow.
 */
export async function receiveAuthorizationResponse(
  options: FlowParts,
  context: RequestContext,
  callbackId: string,
  parameters: URLSearchParams,
): Promise<Answer> {
  const states = parameters.getAll('state');
  const named = states.length === 1 ? transactionCredential.parse(states[0]!) : null;
  if (named === null) throw authorizationErrors('authorization.flow_unknown');
  const { applicationId } = named;
  const judged = await options.db.withTenant(applicationId, async (tx): Promise<Judged> => {
    const flow = await findTransactionByState(tx, applicationId, named.hash);
    if (flow === null) return { kind: 'unknown' };
    // Found, it is over, whatever else is wrong; and of two that come at once the second is told so.
    const found: Judged = (await consumeTransaction(tx, flow, context.now))
      ? await judge(tx, options, context, callbackId, flow)
      : { kind: 'refused', error: authorizationErrors('authorization.flow_unknown') };
    if (found.kind === 'refused' || found.kind === 'ended')
      await writeRefusal(tx, options, context, refusedFlow(flow, found.kind === 'ended'), found.error);
    return found;
  });
  if (judged.kind === 'unknown') throw authorizationErrors('authorization.flow_unknown');
  if (judged.kind === 'refused') throw judged.error;
  if (judged.kind === 'ended') return endWithError(options, context, judged.open, judged.error);
  const { open, accepted } = judged;
  let got: Got | null = null;
  try {
    const tokens = await redeem(options, accepted, parameters, (given) => {
      got = { tokens: { ...given, kept: {} } };
    });
    const identity = await identify(options, accepted, tokens);
    got = { tokens, identity };
    const respondent = { settings: open.settings, target: open.flow.request, cookies: endCookies(options, open.flow) };
    const { service } = accepted;
    return await finishAuthorization(options, context, respondent, {
      service,
      credential: tokens,
      identity,
      grantedScopes: tokens.grantedScopes ?? null,
    });
  } catch (thrown) {
    return endWithError(options, context, open, thrown, { also: async (tx) => (got === null ? {} : giveBack(tx, options, accepted, got)) });
  }
}

/** What the service had given when the flow was refused after all. */
interface Got {
  readonly tokens: UpstreamTokens;
  /** Undefined where it was not told whose they are. */
  readonly identity?: UpstreamIdentity | null;
}

/** Tokens that nobody will hold are revoked, where that ends nothing else; how it was decided goes into the log. */
async function giveBack(
  tx: Tx,
  { vault, clock }: FlowParts,
  { applicationId, service, leg }: Accepted,
  { tokens, identity }: Got,
): Promise<Readonly<Record<string, unknown>>> {
  if (leg.server.revocationEndpoint === null) return { upstream_tokens: 'left_no_endpoint' };
  const unused = { applicationId, service: service.definition.id, identityId: identity?.id ?? null, tokens, now: new Date(clock.now()) };
  return { upstream_tokens: (await revokeUnused(tx, vault, unused)) ? 'revoked' : 'left_in_use' };
}

async function judge(tx: TenantTx, options: FlowParts, context: RequestContext, callbackId: string, flow: Transaction): Promise<Judged> {
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
async function acceptedLeg(tx: TenantTx, options: FlowParts, callbackId: string, { flow, settings }: OpenFlow): Promise<Accepted | null> {
  const { applicationId, upstream: leg } = flow;
  if (leg === null || leg.callbackId !== callbackId || settings.enabledServices?.includes(leg.service) === false) return null;
  const connectable = await findService(tx, applicationId, leg.service);
  const key = await openOAuthKey(tx, options.vault, applicationId, leg.service);
  if (connectable === null || key === null || key.oauthKeyId !== leg.oauthKeyId) return null;
  if (!constantTimeEqual(endpointsDigest(connectable, key), leg.endpointsDigest)) return null;
  return { applicationId, service: connectable.service, client: key, leg, codeVerifier: await openCodeVerifier(tx, options.vault, flow) };
}

async function redeem(
  options: FlowParts,
  { applicationId, service, client, leg, codeVerifier }: Accepted,
  parameters: URLSearchParams,
  onTokens: (tokens: Pick<UpstreamTokens, 'accessToken' | 'refreshToken'>) => void,
): Promise<UpstreamTokens> {
  return redeemCode({
    onTokens,
    service,
    client,
    codeVerifier,
    parameters,
    call: upstreamCall(options, applicationId),
    server: leg.server,
    clock: options.clock,
    redirectUri: leg.redirectUri,
    requestedScopes: leg.requestedScopes,
  });
}

/** Asks whose account the tokens open; null where the service does not say. */
async function identify(
  options: FlowParts,
  { applicationId, service }: Accepted,
  { accessToken, kept, idTokenClaims, idTokenSubject }: UpstreamTokens,
): Promise<UpstreamIdentity | null> {
  return fetchIdentity({
    service,
    credential: { type: 'oauth2', accessToken },
    kept,
    idTokenSubject,
    call: upstreamCall(options, applicationId),
    ...(idTokenClaims === undefined ? {} : { idTokenClaims }),
  });
}
