import type { Answer } from '@bulkhead/http';
import type { TenantTx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { confirmAccount, connectAccount } from '../accounts/index.ts';
import { appendAudit } from '../audit/index.ts';
import { effectiveScope, parseScope, type UpstreamIdentity, type UpstreamService } from '../services/index.ts';
import { issueAuthorizationCode, issueImplicitToken } from '../tokens/index.ts';
import { type NewCredential, storeCredential } from '../vault/index.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import type { ResponseParameters } from './authorization-response.ts';
import type { FlowParts } from './flow.ts';
import { identityInstead } from './identity-instead.ts';
import { type Respondent, respondWith } from './respond.ts';

/** What a service has given: the credential and whose it is. */
export interface Obtained {
  readonly service: UpstreamService;
  readonly credential: NewCredential;
  /** Null where the service does not say. */
  readonly identity: UpstreamIdentity | null;
  readonly grantedScopes: readonly string[] | null;
}

/** One transaction: the credential is stored, the account written, the answer issued, the log kept; or nothing of it. */
async function write(
  tx: TenantTx,
  options: FlowParts,
  request: AuthorizationRequest,
  obtained: Obtained,
  requestId: string,
): Promise<ResponseParameters> {
  const { applicationId } = tx;
  const { endUser } = request;
  // Read anew: the service may have taken its time, and a code lives a minute.
  const now = new Date(options.clock.now());
  const service = obtained.service.definition.id;
  const scope = effectiveScope(obtained.service, parseScope(request.scope));
  const credentialId = await storeCredential(tx, options.vault, { applicationId, service, tokens: obtained.credential, now });
  const { accountId } = await connectAccount(tx, {
    applicationId,
    service,
    identity: obtained.identity ?? identityInstead(applicationId, obtained.service, obtained.credential),
    credentialId,
    effectiveScope: scope,
    grantedScopes: obtained.grantedScopes === null ? null : [...obtained.grantedScopes],
    endUser,
    customProperties: request.customProperties,
    reconnectAccountId: request.reconnectAccountId,
    accountsMax: options.accountsMax,
    now,
  });
  await appendAudit(tx, {
    applicationId,
    actor: { kind: 'end_user', ...(endUser === null ? {} : { id: endUser }) },
    action: 'account.authorize',
    at: now,
    target: String(accountId),
    requestId,
    detail: { service, response_type: request.responseType, scope },
  });
  const issue = { applicationId, accountId, credentialId, scope, endUser, now };
  switch (request.responseType) {
    case 'code': {
      const code = await issueAuthorizationCode(tx, {
        ...issue,
        redirectUri: request.redirectUri ?? '',
        codeChallenge: request.codeChallenge,
        dpopJkt: request.dpopJkt,
      });
      return { code: code.reveal() };
    }
    case 'token': {
      const { accessToken, expiresIn } = await issueImplicitToken(tx, issue);
      return { access_token: accessToken.reveal(), token_type: 'Bearer', expires_in: expiresIn, scope };
    }
    case 'none':
      await confirmAccount(tx, { applicationId, accountId, credentialId, now });
      return {};
  }
}

/** The end of a flow: from what the service gave to the answer for the client. The flow must have been consumed before. */
export async function finishAuthorization(
  options: FlowParts,
  context: RequestContext,
  respondent: Respondent & { readonly target: AuthorizationRequest },
  obtained: Obtained,
): Promise<Answer> {
  const { settings, target } = respondent;
  const parameters = await options.db.withTenant(settings.applicationId, (tx) => write(tx, options, target, obtained, context.requestId));
  return respondWith(options, context, respondent, parameters);
}
