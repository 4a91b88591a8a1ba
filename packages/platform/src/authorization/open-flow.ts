import type { Answer } from '@bulkhead/http';
import type { TenantTx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import type { ApplicationSettings } from '../applications/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { clearedBrowserMarker, isSameBrowser } from './browser-marker.ts';
import type { FlowParts } from './flow.ts';
import { getClient, recheckAnswerTarget } from './read-authorization-request.ts';
import { type AlsoInRefusal, refusedFlow } from './record-refusal.ts';
import { respondError } from './respond.ts';
import { findTransaction, type Transaction, transactionCredential } from './transaction-store.ts';

/** A flow under way in this browser, and its Application. */
export interface OpenFlow {
  readonly flow: Transaction;
  readonly settings: ApplicationSettings;
}

/** The flow a page address names. Throws what is shown on a page. `read` adds to the same transaction. */
export async function openFlow<Extra>(
  options: FlowParts,
  context: RequestContext,
  address: string,
  read: (tx: TenantTx, open: OpenFlow) => Promise<Extra>,
): Promise<OpenFlow & { readonly extra: Extra }> {
  const named = transactionCredential.parse(address);
  if (named === null) throw authorizationErrors('authorization.flow_unknown');
  return options.db.withTenant(named.applicationId, async (tx) => {
    const flow = await findTransaction(tx, named.applicationId, named.hash);
    if (flow === null || flow.consumedAt !== null) throw authorizationErrors('authorization.flow_unknown');
    if (!isSameBrowser(context.call.headers['cookie'], flow, options.publicUrl())) throw authorizationErrors('authorization.other_browser');
    if (flow.expiresAt <= context.now) throw authorizationErrors('authorization.flow_expired');
    const open: OpenFlow = { flow, settings: await getClient(tx, named.applicationId) };
    await recheckAnswerTarget(tx, open.settings, flow.request);
    return { ...open, extra: await read(tx, open) };
  });
}

/** Takes the browser's marker away, as a cookie of the last answer. */
export function endCookies(options: FlowParts, { transactionHash }: Pick<Transaction, 'transactionHash'>): readonly string[] {
  return [clearedBrowserMarker(transactionHash, options.publicUrl())];
}

/** What a refusal leaves to do beside telling the client. */
export interface RefusalExtras {
  /** The service it is about, where the flow has not left for it. */
  readonly service?: string;
  /** Done in the transaction that records the refusal. */
  readonly also?: AlsoInRefusal;
}

/** Ends a consumed flow with an error for the client and a trace in the audit log. A foreign error is logged and becomes `server_error`. */
export async function endWithError(
  options: FlowParts,
  context: RequestContext,
  { flow, settings }: OpenFlow,
  thrown: unknown,
  { service, also }: RefusalExtras = {},
): Promise<Answer> {
  const about = { ...refusedFlow(flow), ...(service === undefined ? {} : { service }) };
  return respondError(options, context, { settings, target: flow.request, cookies: endCookies(options, flow), about }, thrown, also);
}

/** A form of ours is sent by our own page. `Origin` cannot tell, because pages without referrer send `null`. */
export function refuseCrossSite({ call }: RequestContext): void {
  const site = call.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw authorizationErrors('authorization.cross_site');
}
