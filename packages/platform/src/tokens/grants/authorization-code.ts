import { PlatformError } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { AUTHORIZATION_CODE, type AuthorizationCodeRequest, authorizationCodeRequest, matchesChallenge } from '@bulkhead/protocol';
import { confirmAccount } from '../../accounts/index.ts';
import { getApplicationSettings } from '../../applications/index.ts';
import { appendAudit, audit } from '../../audit/index.ts';
import { type AuthorizationCode, consumeCode, findGrantOfCode, holdAccountOfCode } from '../authorization-code-store.ts';
import { endReusedGrant } from '../end-reused-grant.ts';
import { insertGrant } from '../grant-store.ts';
import { issueGrantTokens } from '../issue-grant-tokens.ts';
import { authorizationCode, grantId } from '../token-credentials.ts';
import { tokenErrors } from '../token-errors.ts';
import { type ClientContext, tokenGrant } from '../token-grant.ts';

/** RFC 6749 §4.1.3, RFC 7636 §4.6. Redeeming makes the account live. */
export const authorizationCodeGrant = tokenGrant({
  grantType: AUTHORIZATION_CODE,
  parameters: authorizationCodeRequest,
  async issue({ db }, context, request, dpopJkt) {
    const { applicationId, now } = context;
    const parsed = authorizationCode.parse(request.code);
    if (parsed?.applicationId !== applicationId) throw refused('malformed, or of another Application');
    const { hash } = parsed;
    const id = grantId.generate();
    const confidential = context.principal.apiKeyId !== null;

    const redeeming = db.withTenant(applicationId, async (tx) => {
      const [settings, , code] = await Promise.all([
        getApplicationSettings(tx, applicationId),
        holdAccountOfCode(tx, applicationId, hash),
        consumeCode(tx, { applicationId, hash, grantId: id, now }),
      ]);
      if (settings === null) throw refused('Application deleted');
      if (code === null) {
        const reused = await findGrantOfCode(tx, applicationId, hash);
        if (reused !== null) await endReusedGrant(tx, context, reused, 'authorization_code');
        return null;
      }
      // Thrown from here on, a refusal rolls back and the code stays unspent: only its rightful holder can spend it.
      const difference = differenceOf(code, request, { confidential, pkceRequired: settings.pkceRequired, dpopJkt });
      if (difference !== null) throw misused(difference);
      const { accountId, credentialId, scope, endUser } = code;
      await confirmAccount(tx, { applicationId, accountId, credentialId, now });
      const grant = { grantId: id, accountId, scope, endUser, confidential, dpopJkt };
      await insertGrant(tx, { ...grant, applicationId, now });
      const lifetime = code.codeChallenge === null ? 'lasting' : 'refreshable';
      const tokens = await issueGrantTokens(tx, { applicationId, grant, scope, lifetime, dpopJkt, now });
      await audit(tx, context, { target: id, detail: { grant_type: AUTHORIZATION_CODE, account_id: accountId, lifetime } });
      return { grant, tokens };
    });
    const answer = await redeeming.catch(async (thrown: unknown) => {
      await recordMisused(db, context, thrown);
      throw thrown;
    });
    if (answer === null) throw refused('unknown, expired or used');

    const { grant, tokens } = answer;
    return {
      access_token: tokens.accessToken.reveal(),
      token_type: dpopJkt === null ? 'Bearer' : 'DPoP',
      scope: grant.scope,
      account_id: grant.accountId,
      ...(tokens.expiresIn === null ? {} : { expires_in: tokens.expiresIn }),
      ...(tokens.refreshToken === null ? {} : { refresh_token: tokens.refreshToken.reveal() }),
      ...(grant.endUser === null ? {} : { end_user: grant.endUser }),
    };
  },
});

/** What speaks against handing this code's tokens to this request; null where nothing does. */
function differenceOf(
  code: AuthorizationCode,
  request: AuthorizationCodeRequest,
  client: { readonly confidential: boolean; readonly pkceRequired: boolean; readonly dpopJkt: string | null },
): string | null {
  if (code.redirectUri !== request.redirect_uri) return 'another redirect_uri';
  if (code.dpopJkt !== null && code.dpopJkt !== client.dpopJkt) return 'another DPoP key, or none';
  if (code.codeChallenge === null) {
    // RFC 9700 §2.1.1: a verifier nobody asked for is the sign of a challenge taken out on the way.
    if (request.code_verifier !== undefined) return 'code_verifier without code_challenge';
    if (!client.confidential) return 'a public client without PKCE';
    if (client.pkceRequired) return 'the Application requires PKCE';
  } else {
    if (request.code_verifier === undefined) return 'code_verifier missing';
    if (!matchesChallenge(request.code_verifier, code.codeChallenge)) return 'another code_verifier';
  }
  return code.endUser === (request.end_user ?? null) ? null : 'another end_user';
}

function refused(detail: string) {
  return tokenErrors('grant.invalid', { detail: `authorization code: ${detail}` });
}

/** A code that is good, in a request that is not its holder's: somebody tries to finish what another began (C1). */
function misused(difference: string) {
  return tokenErrors('grant.invalid', { detail: `${MISUSED}${difference}` });
}

const MISUSED = 'authorization code, misused: ';

/** Kept in a transaction of its own: the one of the refusal is undone, so that the code stays good for its holder. */
async function recordMisused(db: Database, context: ClientContext, thrown: unknown): Promise<void> {
  if (!(thrown instanceof PlatformError) || thrown.detail?.startsWith(MISUSED) !== true) return;
  const { applicationId, actor, now, requestId } = context;
  const detail = { reason: thrown.code, text: thrown.detail };
  try {
    await db.withTenant(applicationId, (tx) =>
      appendAudit(tx, { applicationId, actor, action: 'account.connect_refused', at: now, requestId, detail }),
    );
  } catch (cause) {
    context.log.error('a refused authorization code could not be recorded', { application: applicationId, err: cause });
  }
}
