import { type ApplicationId, PlatformError } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { TenantTx, Tx } from '@bulkhead/postgres';
import type { AuthorizationParameters } from '@bulkhead/protocol';
import type { RequestContext } from '../access/index.ts';
import type { ApplicationSettings, ConnectableService } from '../applications/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import { issueBrowserMarker } from './browser-marker.ts';
import { departUpstream } from './depart-upstream.ts';
import { type FlowParts, seeOther } from './flow.ts';
import { offeredServices } from './offered-services.ts';
import { consumePushedRequest, deleteOldPushedRequests, parseRequestUri } from './pushed-request-store.ts';
import {
  getClient,
  readAnswerTarget,
  readAuthorizationRequest,
  readClientId,
  readParameter,
  recheckAnswerTarget,
} from './read-authorization-request.ts';
import { respondError, type Respondent } from './respond.ts';
import { consumeTransaction, deleteOldTransactions, insertTransaction, transactionCredential } from './transaction-store.ts';

const KEPT_AFTER_END_MS = 24 * 3_600_000;

/** How a request was judged: begun, or refused with a place to say so. What has no such place was thrown. */
type Judged =
  | {
      readonly kind: 'begun';
      readonly settings: ApplicationSettings;
      readonly request: AuthorizationRequest;
      readonly offered: readonly ConnectableService[];
      readonly cookie: string;
      readonly address: string;
      readonly transactionHash: Buffer;
    }
  | { readonly kind: 'refused'; readonly respondent: Respondent; readonly error: PlatformError };

/** Answers of a page's address within the flow. */
export function flowAddress(publicUrl: string, transaction: string): string {
  return `${publicUrl}/v1/oauth/authorize/${transaction}`;
}

/**
 * RFC 6749 §4.1.1, RFC 9126 §4: judges the request in a fixed order (client, where the answer goes, everything else), then begins a flow
 * in this browser. With one service to choose from the browser goes straight there.
 */
export async function startAuthorization(
  options: FlowParts,
  context: RequestContext,
  parameters: AuthorizationParameters,
): Promise<Answer> {
  const { 'sec-purpose': secPurpose = '', purpose = '' } = context.call.headers;
  if (`${String(secPurpose)} ${String(purpose)}`.includes('prefetch')) throw authorizationErrors('authorization.prefetch');
  const applicationId = readClientId(parameters);
  const judged = await options.db.withTenant(applicationId, (tx) => judge(tx, options, context, applicationId, parameters));
  if (judged.kind === 'refused') {
    const about = { applicationId, request: null, service: null, inOwnBrowser: false };
    return respondError(options, context, { ...judged.respondent, about }, judged.error);
  }
  const { settings, request, offered, cookie, address, transactionHash } = judged;
  const [only] = offered;
  if (only === undefined || offered.length > 1 || only.service.definition.auth.type !== 'oauth2') return seeOther(address, [cookie]);
  try {
    const location = await departUpstream(options, {
      flow: { applicationId, transactionHash },
      request,
      connectable: only,
      now: context.now,
    });
    return seeOther(location, [cookie]);
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    // The browser never learns of this flow: nobody could go on with it.
    const about = { applicationId, request, service: only.service.definition.id, inOwnBrowser: true };
    const end = async (tx: Tx) => void (await consumeTransaction(tx, { applicationId, transactionHash }, context.now));
    return respondError(options, context, { settings, target: request, about }, thrown, end);
  }
}

async function judge(
  tx: TenantTx,
  options: FlowParts,
  context: RequestContext,
  applicationId: ApplicationId,
  parameters: AuthorizationParameters,
): Promise<Judged> {
  const settings = await getClient(tx, applicationId);
  const requestUri = readParameter(parameters, 'request_uri');
  const pushed = requestUri === undefined ? null : await redeemRequestUri(tx, settings, requestUri, context.now);
  const target = pushed ?? (await readAnswerTarget(tx, settings, parameters));
  try {
    const request = pushed ?? readAuthorizationRequest(settings, target, parameters, { pushed: false, dpopJkt: null });
    const offered = await offeredServices(tx, settings, request);
    return { kind: 'begun', settings, request, offered, ...(await begin(tx, options, applicationId, request, context.now)) };
  } catch (thrown) {
    if (!(thrown instanceof PlatformError) || thrown.status >= 500) throw thrown;
    return { kind: 'refused', respondent: { settings, target }, error: thrown };
  }
}

/** The pushed request, used up by this. It was checked when it was pushed; what may have changed since is checked again. */
async function redeemRequestUri(tx: TenantTx, settings: ApplicationSettings, requestUri: string, now: Date): Promise<AuthorizationRequest> {
  const named = parseRequestUri(requestUri);
  const request =
    named?.applicationId === settings.applicationId ? await consumePushedRequest(tx, settings.applicationId, named.hash, now) : null;
  if (request === null) throw authorizationErrors('authorization.request_uri_unknown', { field: 'request_uri' });
  await recheckAnswerTarget(tx, settings, request);
  return request;
}

async function begin(tx: TenantTx, options: FlowParts, applicationId: ApplicationId, request: AuthorizationRequest, now: Date) {
  const before = new Date(now.getTime() - KEPT_AFTER_END_MS);
  await deleteOldTransactions(tx, applicationId, before, 100);
  await deleteOldPushedRequests(tx, applicationId, before, 100);
  const publicUrl = options.publicUrl();
  const { secret, hash } = transactionCredential.issue(applicationId);
  const marker = issueBrowserMarker(hash, publicUrl);
  await insertTransaction(tx, { applicationId, transactionHash: hash, browserHash: marker.hash, request, now });
  return { cookie: marker.cookie, address: flowAddress(publicUrl, secret.reveal()), transactionHash: hash };
}
