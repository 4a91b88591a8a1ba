import type { PlatformError } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { RequestContext } from '../access/index.ts';
import type { ApplicationSettings } from '../applications/index.ts';
import { servicesErrors } from '../services/index.ts';
import type { AnswerTarget } from './authorization-request.ts';
import { errorParameters, type ResponseParameters, responseMessage, responseUrl } from './authorization-response.ts';
import { type AuthorizationOptions, seeOther, showPage } from './flow.ts';
import { donePage, oobResultPage } from './pages/oob-result-page.ts';

/** Where an answer goes and in whose look. */
export interface Respondent {
  readonly settings: ApplicationSettings;
  readonly target: AnswerTarget;
  /** Cookies to set or take away with it. */
  readonly cookies?: readonly string[];
}

type Outcome = 'connected' | 'declined' | 'failed';

function respond(
  options: AuthorizationOptions,
  context: RequestContext,
  { settings, target, cookies = [] }: Respondent,
  parameters: ResponseParameters,
  outcome: Outcome,
): Answer {
  const issuer = options.publicUrl();
  const { origin, redirectUri } = target;
  if (target.responseMode === 'message' && origin !== null) {
    return showPage(options, context, settings, (setting) =>
      oobResultPage({ message: responseMessage(target, parameters, issuer), targetOrigin: origin, outcome, cookies }, setting),
    );
  }
  if (redirectUri !== null) return seeOther(responseUrl({ ...target, redirectUri }, parameters, issuer), cookies);
  return showPage(options, context, settings, (setting) => donePage(setting, cookies));
}

/** RFC 6749 §4.1.2, §4.2.2. */
export function respondWith(
  options: AuthorizationOptions,
  context: RequestContext,
  respondent: Respondent,
  parameters: ResponseParameters,
): Answer {
  return respond(options, context, respondent, parameters, 'connected');
}

/** RFC 6749 §4.1.2.1, §4.2.2.1. Where nobody waits for the answer it is thrown, and shown on a page. */
export function respondError(
  options: AuthorizationOptions,
  context: RequestContext,
  respondent: Respondent,
  thrown: PlatformError,
): Answer {
  const { target } = respondent;
  const error = asFlowError(thrown);
  if (target.responseMode === 'page' && target.redirectUri === null) throw error;
  context.log.info('connect flow ended', {
    application: respondent.settings.applicationId,
    code: error.code,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
  return respond(options, context, respondent, errorParameters(error), error.oauth === 'access_denied' ? 'declined' : 'failed');
}

/** A call that did not get through, as the client of this flow understands it: the service is out of reach. */
function asFlowError(error: PlatformError): PlatformError {
  if (!error.code.startsWith('egress.')) return error;
  return servicesErrors(error.code === 'egress.timeout' ? 'upstream.timeout' : 'upstream.unavailable', {
    detail: error.code,
    cause: error,
  });
}
