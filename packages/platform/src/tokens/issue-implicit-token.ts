import type { ApplicationId, Secret } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { confirmAccount } from '../accounts/index.ts';
import { insertGrant } from './grant-store.ts';
import { issueGrantTokens } from './issue-grant-tokens.ts';
import { ACCESS_TOKEN_LIFETIME_SECONDS, grantId } from './token-credentials.ts';

/**
 * Issues the access token of an implicit grant (RFC 6749 §4.2.2) and makes the account live. The token lasts an hour and has no
 * refresh token (§4.2.2 forbids one): it passed through a browser's address bar.
 */
export async function issueImplicitToken(
  tx: Tx,
  fields: {
    readonly applicationId: ApplicationId;
    readonly accountId: number;
    readonly credentialId: string;
    readonly scope: string;
    readonly endUser: string | null;
    readonly now: Date;
  },
): Promise<{ accessToken: Secret; expiresIn: number }> {
  const { applicationId, accountId, credentialId, scope, endUser, now } = fields;
  const grant = { grantId: grantId.generate(), accountId, scope, endUser, confidential: false, dpopJkt: null };
  await confirmAccount(tx, { applicationId, accountId, credentialId, now });
  await insertGrant(tx, { ...grant, applicationId, now });
  const issued = await issueGrantTokens(tx, { applicationId, grant, scope, lifetime: 'short', dpopJkt: null, now });
  return { accessToken: issued.accessToken, expiresIn: ACCESS_TOKEN_LIFETIME_SECONDS };
}
