import { REFRESH_TOKEN, refreshTokenRequest } from '@bulkhead/protocol';
import { findAccount } from '../../accounts/index.ts';
import { audit } from '../../audit/index.ts';
import { bindGrant, type Grant } from '../grant-store.ts';
import { endReusedGrant } from '../end-reused-grant.ts';
import { issueGrantTokens } from '../issue-grant-tokens.ts';
import { narrowScope } from '../narrow-scope.ts';
import { consumeRefreshToken, findGrantOfUsedRefreshToken, holdGrantOfRefreshToken } from '../refresh-token-store.ts';
import { refreshToken } from '../token-credentials.ts';
import { tokenErrors } from '../token-errors.ts';
import { tokenGrant } from '../token-grant.ts';

/** RFC 6749 §6 with rotation: each refresh token is good once, its second use ends the grant (RFC 9700 §4.14.2). */
export const refreshTokenGrant = tokenGrant({
  grantType: REFRESH_TOKEN,
  parameters: refreshTokenRequest,
  async issue({ db }, context, request, dpopJkt) {
    const { applicationId, now } = context;
    const parsed = refreshToken.parse(request.refresh_token);
    if (parsed?.applicationId !== applicationId) throw refused('malformed, or of another Application');
    const { hash } = parsed;

    const answer = await db.withTenant(applicationId, async (tx) => {
      const [, grant] = await Promise.all([
        holdGrantOfRefreshToken(tx, applicationId, hash),
        consumeRefreshToken(tx, { applicationId, hash, now }),
      ]);
      if (grant === null) {
        const reused = await findGrantOfUsedRefreshToken(tx, applicationId, hash);
        if (reused !== null) await endReusedGrant(tx, context, reused, 'refresh_token');
        return null;
      }
      // Thrown from here on, a refusal rolls back and the refresh token stays unspent.
      if (grant.confidential && context.principal.apiKeyId === null) throw refused('issued to a client that authenticated');
      const difference = keyDifference(grant, dpopJkt);
      if (difference !== null) throw refused(difference);
      if (grant.dpopJkt === null && dpopJkt !== null) await bindGrant(tx, applicationId, grant.grantId, dpopJkt);
      const account = await findAccount(tx, applicationId, grant.accountId);
      if (account === null || !account.active) throw refused('account gone or inactive');
      const scope = await narrowScope(tx, { applicationId, service: account.service, wanted: request.scope, held: grant.scope });
      const tokens = await issueGrantTokens(tx, { applicationId, grant, scope, lifetime: 'refreshable', dpopJkt, now });
      await audit(tx, context, { target: grant.grantId, detail: { grant_type: REFRESH_TOKEN, account_id: grant.accountId } });
      return { grant, scope, tokens };
    });
    if (answer === null) throw refused('unknown, expired or used');

    const { grant, scope, tokens } = answer;
    return {
      access_token: tokens.accessToken.reveal(),
      token_type: dpopJkt === null ? 'Bearer' : 'DPoP',
      scope,
      account_id: grant.accountId,
      ...(tokens.expiresIn === null ? {} : { expires_in: tokens.expiresIn }),
      ...(tokens.refreshToken === null ? {} : { refresh_token: tokens.refreshToken.reveal() }),
      ...(grant.endUser === null ? {} : { end_user: grant.endUser }),
    };
  },
});

/**
 * RFC 9449 §5: the refresh token of a public client is good with its key only. One that authenticates may come with another key, because
 * its secret already binds it; but tokens that were bound never become bearer tokens again.
 */
function keyDifference(grant: Grant, dpopJkt: string | null): string | null {
  if (grant.dpopJkt === null) return null;
  if (dpopJkt === null) return 'bound to a key, and no DPoP proof';
  return grant.confidential || grant.dpopJkt === dpopJkt ? null : 'another DPoP key';
}

function refused(detail: string) {
  return tokenErrors('grant.invalid', { detail: `refresh token: ${detail}` });
}
