import type { PlatformError } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { RequestContext } from '../access/index.ts';
import type { ApplicationSettings } from '../applications/index.ts';
import type { AnswerTarget } from './authorization-request.ts';
import { errorParameters, type ResponseParameters, responseMessage, responseUrl } from './authorization-response.ts';
import { errorKind } from './error-kind.ts';
import { type FlowParts, seeOther, showPage } from './flow.ts';
import { donePage, oobResultPage } from './pages/oob-result-page.ts';
import { type AlsoInRefusal, asFlowError, recordRefusal, type RefusedFlow } from './record-refusal.ts';

/** Where an answer goes and in whose look. */
export interface Respondent {
  readonly settings: ApplicationSettings;
  readonly target: AnswerTarget;
  /** Cookies to set or take away with it. */
  readonly cookies?: readonly string[];
}

type Outcome = 'connected' | 'declined' | 'failed';

function respond(
  options: FlowParts,
  context: RequestContext,
  { settings, target, cookies = [] }: Respondent,
  parameters: ResponseParameters,
  outcome: Outcome,
  error?: PlatformError,
): Answer {
  const issuer = options.publicUrl();
  const { origin, redirectUri } = target;
  if (target.responseMode === 'message' && origin !== null) {
    const input = { message: responseMessage(target, parameters, issuer), targetOrigin: origin, outcome, cookies };
    return showPage(options, context, settings, (setting) =>
      oobResultPage({ ...input, ...(error === undefined ? {} : { kind: errorKind(error) }) }, setting),
    );
  }
  if (redirectUri !== null) return seeOther(responseUrl({ ...target, redirectUri }, parameters, issuer), cookies);
  return showPage(options, context, settings, (setting) => donePage(setting, cookies));
}

/** RFC 6749 §4.1.2, §4.2.2. */
export function respondWith(options: FlowParts, context: RequestContext, respondent: Respondent, parameters: ResponseParameters): Answer {
  return respond(options, context, respondent, parameters, 'connected');
}

/**
 * RFC 6749 §4.1.2.1, §4.2.2.1: the end of a refused flow, told to the client and kept in the audit log. Where nobody waits for the answer it
 * is thrown, and shown on a page. `also`: what else the refusal leaves to do, in the transaction that records it.
 */
export async function respondError(
  options: FlowParts,
  context: RequestContext,
  respondent: Respondent & { readonly about: RefusedFlow },
  thrown: unknown,
  also?: AlsoInRefusal,
): Promise<Answer> {
  const { target, about } = respondent;
  const error = asFlowError(thrown);
  if (error.code === 'server_error') context.log.error('connect flow failed', { err: error.cause ?? error });
  if (!context.audited || also !== undefined) await recordRefusal(options, context, about, error, also);
  if (target.responseMode === 'page' && target.redirectUri === null) throw error;
  context.log.info('connect flow ended', {
    application: about.applicationId,
    code: error.code,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
  return respond(
    options,
    context,
    respondent,
    errorParameters(error),
    error.code === 'authorization.cancelled' ? 'declined' : 'failed',
    error,
  );
}
