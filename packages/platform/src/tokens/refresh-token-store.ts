import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { AccountsOlderThan } from '../accounts/index.ts';
import type { Grant } from './grant-store.ts';

interface GrantRow {
  grant_id: string;
  account_id: number;
  scope: string;
  end_user: string | null;
  confidential: boolean;
  dpop_jkt: string | null;
}

function grant(row: GrantRow): Grant {
  return {
    grantId: row.grant_id,
    accountId: row.account_id,
    scope: row.scope,
    endUser: row.end_user,
    confidential: row.confidential,
    dpopJkt: row.dpop_jkt,
  };
}

export async function insertRefreshToken(
  tx: Tx,
  fields: { applicationId: ApplicationId; hash: Buffer; grantId: string; now: Date; expiresAt: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into refresh_tokens (application_id, token_hash, grant_id, created_at, expires_at)
    values (${fields.applicationId}, ${fields.hash}, ${fields.grantId}, ${fields.now}, ${fields.expiresAt})`);
}

/**
 * Holds the account and the grant of a refresh token until the transaction ends. Before the token itself is touched: whoever deletes
 * an account or a grant goes the same way down, and two that met from opposite ends would deadlock. The grant is held for update:
 * of two that only shared it, and both found the token spent, neither could end it.
 */
export async function holdGrantOfRefreshToken(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<void> {
  const grantOfToken = sql`select r.grant_id from refresh_tokens r where r.application_id = ${applicationId} and r.token_hash = ${hash}`;
  await Promise.all([
    tx.execute(sql`
      select from accounts
       where application_id = ${applicationId}
         and account_id = (select g.account_id from grants g where g.application_id = ${applicationId} and g.grant_id = (${grantOfToken}))
         for key share`),
    tx.execute(sql`select from grants where application_id = ${applicationId} and grant_id = (${grantOfToken}) for update`),
  ]);
}

/** Spends the refresh token: of any number of callers one gets its grant, the others null. */
export async function consumeRefreshToken(tx: Tx, token: { applicationId: ApplicationId; hash: Buffer; now: Date }): Promise<Grant | null> {
  const row = await tx.maybe<GrantRow>(sql`
    update refresh_tokens r set used_at = ${token.now}
      from grants g
     where r.application_id = ${token.applicationId} and r.token_hash = ${token.hash} and r.used_at is null and r.expires_at > ${token.now}
       and g.application_id = ${token.applicationId} and g.grant_id = r.grant_id
    returning g.grant_id, g.account_id, g.scope, g.end_user, g.confidential, g.dpop_jkt`);
  return row === null ? null : grant(row);
}

/** The grant of a refresh token that was spent before; null for one that is unknown or has only expired. */
export async function findGrantOfUsedRefreshToken(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<string | null> {
  const row = await tx.maybe<{ grant_id: string }>(sql`
    select grant_id from refresh_tokens
     where application_id = ${applicationId} and token_hash = ${hash} and used_at is not null`);
  return row?.grant_id ?? null;
}

/** The grant of any refresh token, spent, expired or live. */
export async function findGrantOfRefreshToken(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<string | null> {
  const row = await tx.maybe<{ grant_id: string }>(sql`
    select grant_id from refresh_tokens where application_id = ${applicationId} and token_hash = ${hash}`);
  return row?.grant_id ?? null;
}

export interface LiveRefreshToken {
  readonly grant: Grant;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** The refresh token if it could be used now. */
export async function findLiveRefreshToken(
  tx: Tx,
  applicationId: ApplicationId,
  hash: Buffer,
  now: Date,
): Promise<LiveRefreshToken | null> {
  const row = await tx.maybe<GrantRow & { created_at: Date; expires_at: Date }>(sql`
    select g.grant_id, g.account_id, g.scope, g.end_user, g.confidential, g.dpop_jkt, r.created_at, r.expires_at
      from refresh_tokens r
      join grants g on g.application_id = r.application_id and g.grant_id = r.grant_id
      join accounts c on c.application_id = g.application_id and c.account_id = g.account_id
     where r.application_id = ${applicationId} and r.token_hash = ${hash} and r.used_at is null and r.expires_at > ${now}
       and c.active and not c.provisional`);
  return row === null ? null : { grant: grant(row), createdAt: row.created_at, expiresAt: row.expires_at };
}

/** Removes some used refresh tokens that would have expired by now: until then a second use is recognised. */
export async function deleteOldRefreshTokens(tx: Tx, applicationId: ApplicationId, now: Date, limit: number): Promise<void> {
  await tx.execute(sql`
    delete from refresh_tokens
     where application_id = ${applicationId} and token_hash in (
       select token_hash from refresh_tokens
        where application_id = ${applicationId} and expires_at < ${now} and used_at is not null
        limit ${limit} for update skip locked)`);
}

/** How many refresh tokens that are still good hang from the grants that `deleteGrantsOf` would end. */
export async function countRefreshTokensOf(tx: Tx, { applicationId, accountIds, before }: AccountsOlderThan, now: Date): Promise<number> {
  const row = await tx.one<{ good: number }>(sql`
    select count(*) as good from refresh_tokens r join grants g on g.application_id = r.application_id and g.grant_id = r.grant_id
     where g.application_id = ${applicationId} and g.account_id = any(${accountIds}::bigint[]) and r.used_at is null and r.expires_at > ${now}
       and (${before}::timestamptz is null or g.created_at < ${before}::timestamptz)`);
  return Number(row.good);
}
