import { PlatformError, Secret } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { RequestContext } from '../access/index.ts';
import { fetchIdentity, isHeaderSafe, type UpstreamCredential, type UpstreamIdentity, type UpstreamService } from '../services/index.ts';
import type { NewCredential } from '../vault/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { chosenService, showCredentialForm } from './choose-service.ts';
import { finishAuthorization } from './finish-authorization.ts';
import { type FlowParts, upstreamCall } from './flow.ts';
import { offeredServices } from './offered-services.ts';
import { endCookies, endWithError, openFlow, refuseCrossSite } from './open-flow.ts';
import type { CredentialFormInput } from './pages/credential-form-page.ts';
import { asFlowError, recordRefusal, refusedFlow } from './record-refusal.ts';
import { consumeTransaction, countAttempt } from './transaction-store.ts';

/** A flow is no place to try keys out. */
const ATTEMPTS_MAX = 10;

export interface CredentialFields {
  readonly service?: string | undefined;
  readonly api_key?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** What was typed, for the service and for the vault; null where something is missing or cannot be sent. */
function typedCredential(
  { definition }: UpstreamService,
  fields: CredentialFields,
): { readonly use: UpstreamCredential; readonly keep: NewCredential } | null {
  if (definition.auth.type === 'api_key') {
    const text = fields.api_key?.trim() ?? '';
    const key = new Secret(text);
    return text === '' || !isHeaderSafe(text) ? null : { use: { type: 'api_key', key }, keep: { apiKey: key } };
  }
  const username = fields.username?.trim() ?? '';
  const text = fields.password ?? '';
  // RFC 7617 §2: no colon in the user name, no control characters in either.
  if (username === '' || text === '' || username.includes(':') || /\p{Cc}/u.test(username + text)) return null;
  const password = new Secret(text);
  return { use: { type: 'basic', username, password }, keep: { username, password } };
}

function problemOf(error: PlatformError): CredentialFormInput['problem'] {
  return error.code === 'upstream.identity_refused' ? 'form_refused' : 'form_unavailable';
}

/**
 * Takes the credential of a service without OAuth. It is tried at the service before it is stored, where the service can say whose it
 * is; a refusal shows the form again, ten times at most.
 */
export async function submitCredential(
  options: FlowParts,
  context: RequestContext,
  address: string,
  fields: CredentialFields,
): Promise<Answer> {
  refuseCrossSite(context);
  const open = await openFlow(options, context, address, async (tx, { settings, flow }) => ({
    offered: await offeredServices(tx, settings, flow.request),
    attempts: await countAttempt(tx, flow),
  }));
  const { flow, settings } = open;
  const { offered, attempts } = open.extra;
  const connectable = chosenService(offered, fields.service);
  if (connectable === null || connectable.service.definition.auth.type === 'oauth2')
    throw authorizationErrors('authorization.flow_unknown');
  const about = { service: connectable.service.definition.id };
  const consume = () => options.db.withTenant(flow.applicationId, (tx) => consumeTransaction(tx, flow, context.now));
  if (attempts > ATTEMPTS_MAX) {
    await consume();
    return endWithError(options, context, open, authorizationErrors('authorization.too_many_attempts'), about);
  }
  const again = (problem: CredentialFormInput['problem']) =>
    showCredentialForm(options, context, open, {
      connectable,
      offered,
      address,
      problem,
      ...(fields.username === undefined ? {} : { username: fields.username.slice(0, 255) }),
    });
  const { service } = connectable;
  const typed = typedCredential(service, fields);
  if (typed === null) return again('form_missing');
  let identity: UpstreamIdentity | null;
  try {
    identity = await fetchIdentity({ service, credential: typed.use, call: upstreamCall(options, flow.applicationId) });
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    context.log.info('credential not accepted', { ...about, code: thrown.code });
    await recordRefusal(options, context, { ...refusedFlow(flow), ...about }, asFlowError(thrown));
    return again(problemOf(thrown));
  }
  if (!(await consume())) throw authorizationErrors('authorization.flow_unknown');
  try {
    const respondent = { settings, target: flow.request, cookies: endCookies(options, flow) };
    return await finishAuthorization(options, context, respondent, { service, credential: typed.keep, identity, grantedScopes: null });
  } catch (thrown) {
    return endWithError(options, context, open, thrown, about);
  }
}
