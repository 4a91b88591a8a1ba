import type { ApplicationId, Secret } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { insertAccessToken } from './access-token-store.ts';
import { deleteExpired } from './delete-expired.ts';
import type { Grant } from './grant-store.ts';
import { insertRefreshToken } from './refresh-token-store.ts';
import {
  ACCESS_TOKEN_LIFETIME_SECONDS,
  accessToken,
  REFRESH_TOKEN_LIFETIME_SECONDS,
  refreshToken,
  secondsAfter,
} from './token-credentials.ts';

/** `short`: an hour, no refresh token. `refreshable`: an hour, and a refresh token. `lasting`: until revoked, as Kloudless's were. */
export type TokenLifetime = 'short' | 'refreshable' | 'lasting';

export interface GrantTokens {
  readonly accessToken: Secret;
  /** Seconds; null for a token that does not expire. */
  readonly expiresIn: number | null;
  readonly refreshToken: Secret | null;
}

/** Issues the tokens of a grant that exists. `scope` lies within the grant's. */
export async function issueGrantTokens(
  tx: Tx,
  fields: { applicationId: ApplicationId; grant: Grant; scope: string; lifetime: TokenLifetime; dpopJkt: string | null; now: Date },
): Promise<GrantTokens> {
  const { applicationId, grant, lifetime, now } = fields;
  const access = accessToken.issue(applicationId);
  const expiresIn = lifetime === 'lasting' ? null : ACCESS_TOKEN_LIFETIME_SECONDS;
  const refresh = lifetime === 'refreshable' ? refreshToken.issue(applicationId) : null;
  const inserted = [
    insertAccessToken(tx, {
      applicationId,
      hash: access.hash,
      accountId: grant.accountId,
      scope: fields.scope,
      authorizationDetails: null,
      endUser: grant.endUser,
      dpopJkt: fields.dpopJkt,
      depth: 0,
      parent: { kind: 'grant', grantId: grant.grantId },
      createdAt: now,
      expiresAt: expiresIn === null ? null : secondsAfter(now, expiresIn),
    }),
  ];
  if (refresh !== null) {
    const expiresAt = secondsAfter(now, REFRESH_TOKEN_LIFETIME_SECONDS);
    inserted.push(insertRefreshToken(tx, { applicationId, hash: refresh.hash, grantId: grant.grantId, now, expiresAt }));
  }
  await Promise.all([...inserted, deleteExpired(tx, applicationId, now)]);
  return { accessToken: access.secret, expiresIn, refreshToken: refresh?.secret ?? null };
}
