import type { ApplicationId, PlatformError } from '@bulkhead/base';
import { asPlatformError } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { getApplicationSettings } from '../applications/index.ts';
import { appendAudit } from '../audit/index.ts';
import { servicesErrors } from '../services/index.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import type { FlowParts } from './flow.ts';
import { namedInCall } from './named-in-call.ts';
import { findTransaction, findTransactionByState, type Transaction } from './transaction-store.ts';

/** What a refusal is about, as far as it is known. */
export interface RefusedFlow {
  readonly applicationId: ApplicationId;
  /** Null where the request was refused before it was read whole. */
  readonly request: Pick<AuthorizationRequest, 'endUser' | 'reconnectAccountId'> | null;
  /** Id of the service that was asked; null before one was chosen. */
  readonly service: string | null;
  /** Whether the browser proved to be the one the flow was begun in: without that nobody knows who was refused. */
  readonly inOwnBrowser: boolean;
}

export function refusedFlow({ applicationId, request, upstream }: Transaction, inOwnBrowser = true): RefusedFlow {
  return { applicationId, request, service: upstream?.service ?? null, inOwnBrowser };
}

/** A call that did not get through, as the client of this flow understands it: the service is out of reach. */
export function asFlowError(thrown: unknown): PlatformError {
  const error = asPlatformError(thrown);
  if (!error.code.startsWith('egress.')) return error;
  const known = { 'egress.timeout': 'upstream.timeout', 'egress.too_large': 'upstream.answer_too_large' } as const;
  const code = error.code in known ? known[error.code as keyof typeof known] : 'upstream.unavailable';
  return servicesErrors(code, { detail: error.code, cause: error });
}

/**
 * The trace of a connect flow that was refused (C5): who was refused, what, and why, in words of ours; never a state, code, token or
 * anything else that came with the request. The
 * target is the account that was to be reconnected; it was not touched. A minute takes so many
 * lines (`RefusalLines`); `unrecorded` counts those before it that have none.
 */
export async function writeRefusal(
  tx: Tx,
  { refusalLines }: Pick<FlowParts, 'refusalLines'>,
  context: RequestContext,
  flow: RefusedFlow,
  error: PlatformError,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  context.markAudited();
  // What a service has given is never left out.
  const unrecorded = Object.keys(more).length > 0 ? 0 : refusalLines.admit(flow.applicationId, context.now);
  if (unrecorded === null) return;
  const endUser = flow.request?.endUser ?? null;
  const accountId = flow.request?.reconnectAccountId ?? null;
  await appendAudit(tx, {
    applicationId: flow.applicationId,
    actor: flow.inOwnBrowser ? { kind: 'end_user', ...(endUser === null ? {} : { id: endUser }) } : { kind: 'anonymous' },
    action: 'account.connect_refused',
    at: context.now,
    requestId: context.requestId,
    ...(accountId === null ? {} : { target: String(accountId) }),
    detail: {
      reason: error.code,
      text: error.publicText,
      ...(flow.service === null ? {} : { service: flow.service }),
      ...(endUser === null || flow.inOwnBrowser ? {} : { end_user: endUser }),
      ...(unrecorded === 0 ? {} : { unrecorded }),
      ...more,
    },
  });
}

/** What else a refusal leaves to do, in the transaction that records it; answers what the record should say of it. */
export type AlsoInRefusal = (tx: Tx) => Promise<Readonly<Record<string, unknown>> | void>;

/**
 * The same in a transaction of its own. A log that cannot be written changes nothing about the
 * answer: the flow is refused in any case.
 */
export async function recordRefusal(
  options: Pick<FlowParts, 'db' | 'refusalLines'>,
  context: RequestContext,
  flow: RefusedFlow,
  error: PlatformError,
  also: AlsoInRefusal = async () => undefined,
): Promise<void> {
  try {
    await options.db.withTenant(flow.applicationId, async (tx) => {
      await writeRefusal(tx, options, context, flow, error, (await also(tx)) ?? {});
    });
  } catch (cause) {
    context.log.error('a refused connect flow could not be recorded', { application: flow.applicationId, code: error.code, err: cause });
  }
}

/** Faults of ours and times when nothing can be written are no refusals; neither is a page that was looked at ahead of time. */
function isRefusal({ code, status }: PlatformError): boolean {
  return code !== 'authorization.prefetch' && (status < 500 || code.startsWith('upstream.'));
}

/**
 * Records what a page route threw and nobody recorded before: in the log of the Application that its address names, or nowhere, where it
 * names none that there is.
 */
export async function recordThrown(options: FlowParts, context: RequestContext, thrown: unknown): Promise<void> {
  const error = asFlowError(thrown);
  const named = namedInCall(context.call);
  if (context.audited || named === null || !isRefusal(error)) return;
  const { applicationId } = named;
  try {
    await options.db.withTenant(applicationId, async (tx) => {
      if ((await getApplicationSettings(tx, applicationId)) === null) return;
      const flow =
        named.kind === 'flow'
          ? await findTransaction(tx, applicationId, named.hash)
          : named.kind === 'state'
            ? await findTransactionByState(tx, applicationId, named.hash)
            : null;
      const about = flow === null ? { applicationId, request: null, service: null } : refusedFlow(flow);
      await writeRefusal(tx, options, context, { ...about, inOwnBrowser: false }, error);
    });
  } catch (cause) {
    context.log.error('a refused connect flow could not be recorded', { application: applicationId, code: error.code, err: cause });
  }
}
