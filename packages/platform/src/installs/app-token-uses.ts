import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';

/**
 * A token without `jti` may come again for so long: atlassian-connect-express makes the same one for equal calls within a second, and
 * they need not arrive within it.
 */
const REPEATED_MS = 5_000;

export interface AppTokenUse {
  readonly applicationId: ApplicationId;
  /** SHA-256 of header and claims as decoded: the text of a JWT can be written in several ways. */
  readonly hash: Buffer;
  /** With a `jti` it says of itself that there is no second one like it. */
  readonly hasId: boolean;
  readonly now: Date;
  /** Nobody accepts it after that. */
  readonly expiresAt: Date;
}

/** Spends a token of an App, on however many processes: false where it was used before, and is not one that may come again yet. */
export async function spendAppToken(tx: Tx, { applicationId, hash, hasId, now, expiresAt }: AppTokenUse): Promise<boolean> {
  const inserted = await tx.execute(sql`
    insert into app_token_uses (application_id, token_hash, used_at, expires_at) values (${applicationId}, ${hash}, ${now}, ${expiresAt})
    on conflict do nothing`);
  if (inserted === 1) return true;
  if (hasId) return false;
  const used = await tx.maybe<{ used_at: Date }>(sql`
    select used_at from app_token_uses where application_id = ${applicationId} and token_hash = ${hash}`);
  return used !== null && now.getTime() - used.used_at.getTime() <= REPEATED_MS;
}

/** Forgets tokens that are over, at most `limit`. For the system role. Answers how many. */
export async function deleteOldTokenUses(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from app_token_uses where ctid = any(array(
      select ctid from app_token_uses where expires_at <= ${now} limit ${limit} for update skip locked))`);
}
