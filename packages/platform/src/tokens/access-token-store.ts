import type { ApplicationId } from '@bulkhead/base';
import type { PassthroughLimits } from '@bulkhead/protocol';
import { type Database, type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { BearerPrincipal, PassthroughDetail } from '../access/index.ts';
import type { AccountsOlderThan } from '../accounts/index.ts';

/** What a token hangs from and dies with. */
export type TokenParent =
  | { readonly kind: 'grant'; readonly grantId: string }
  | { readonly kind: 'api_key'; readonly apiKeyId: string }
  | { readonly kind: 'access_token'; readonly hash: Buffer };

export interface AccessToken {
  readonly hash: Buffer;
  readonly accountId: number;
  readonly scope: string;
  readonly authorizationDetails: readonly PassthroughDetail[] | null;
  readonly endUser: string | null;
  /** Thumbprint of the key it is bound to (RFC 9449 §6). */
  readonly dpopJkt: string | null;
  /** Exchanges between it and the grant or API key at the start. */
  readonly depth: number;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

/** A token that is good now, with the service of its account, and who it lets in: one object for as long as it is remembered. */
export interface LiveAccessToken extends AccessToken {
  readonly principal: BearerPrincipal;
  readonly service: string;
}

interface LiveRow {
  token_hash: Buffer;
  account_id: number;
  scope: string;
  authorization_details: PassthroughDetail[] | null;
  end_user: string | null;
  dpop_jkt: string | null;
  depth: number;
  created_at: Date;
  expires_at: Date | null;
  service: string;
}

export interface NewAccessToken extends Omit<AccessToken, 'authorizationDetails'> {
  readonly applicationId: ApplicationId;
  readonly parent: TokenParent;
  readonly authorizationDetails: readonly PassthroughLimits[] | null;
}

export async function insertAccessToken(tx: Tx, fields: NewAccessToken): Promise<void> {
  await tx.execute(newAccessToken(fields));
}

/** The statement that writes a token. A foreign key refuses it where its parent or its account is gone. */
export function newAccessToken(fields: NewAccessToken): Sql {
  const { parent, authorizationDetails: details } = fields;
  return sql`
    insert into access_tokens (application_id, token_hash, account_id, scope, authorization_details, end_user, dpop_jkt, depth,
                               grant_id, parent_api_key_id, parent_token_hash, created_at, expires_at)
    values (${fields.applicationId}, ${fields.hash}, ${fields.accountId}, ${fields.scope},
            ${details === null ? null : JSON.stringify(details)}::jsonb, ${fields.endUser}, ${fields.dpopJkt}, ${fields.depth},
            ${parent.kind === 'grant' ? parent.grantId : null}, ${parent.kind === 'api_key' ? parent.apiKeyId : null},
            ${parent.kind === 'access_token' ? parent.hash : null}, ${fields.createdAt}, ${fields.expiresAt})`;
}

/**
 * The one question that decides whether a token is good: known, not expired, its Application and account active. Parents need
 * no look: a token is deleted with its parent and never outlives it.
 */
export function liveAccessToken(applicationId: ApplicationId, hash: Buffer, now: Date): Sql {
  return sql`
    select t.token_hash, t.account_id, t.scope, t.authorization_details, t.end_user, t.dpop_jkt, t.depth, t.created_at, t.expires_at, c.service
      from access_tokens t
      join applications a on a.application_id = t.application_id
      join accounts c on c.application_id = t.application_id and c.account_id = t.account_id
     where t.application_id = ${applicationId} and t.token_hash = ${hash} and (t.expires_at is null or t.expires_at > ${now})
       and a.active and a.deleted_at is null and c.active and not c.provisional`;
}

/** The token if it is good now; what the database said of it is used for up to a second (`Database.recall`). */
export async function recallLiveAccessToken(
  db: Database,
  { applicationId, hash, now }: { readonly applicationId: ApplicationId; readonly hash: Buffer; readonly now: Date },
): Promise<LiveAccessToken | null> {
  const live = await db.recall(
    applicationId,
    `access_token ${hash.toString('base64')}`,
    () => liveAccessToken(applicationId, hash, now),
    ([row]) => (row === undefined ? null : readLiveAccessToken(applicationId, row)),
  );
  return live === null || (live.expiresAt !== null && live.expiresAt <= now) ? null : live;
}

/** Reads the row of `liveAccessToken`. */
function readLiveAccessToken(applicationId: ApplicationId, row: object): LiveAccessToken {
  const live = row as LiveRow;
  const token = {
    hash: live.token_hash,
    accountId: live.account_id,
    scope: live.scope,
    authorizationDetails: live.authorization_details,
    endUser: live.end_user,
    dpopJkt: live.dpop_jkt,
    expiresAt: live.expires_at,
  };
  const { hash: tokenHash, ...limits } = token;
  const principal = { kind: 'bearer', applicationId, tokenHash, ...limits } as const;
  return { ...token, depth: live.depth, createdAt: live.created_at, service: live.service, principal };
}

export async function findLiveAccessToken(tx: Tx, applicationId: ApplicationId, hash: Buffer, now: Date): Promise<LiveAccessToken | null> {
  const row = await tx.maybe(liveAccessToken(applicationId, hash, now));
  return row === null ? null : readLiveAccessToken(applicationId, row);
}

/** Deletes the token and all that was exchanged from it; says whose account it was for, or null where there was none. */
export async function deleteAccessToken(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<number | null> {
  const row = await tx.maybe<{ account_id: number }>(sql`
    delete from access_tokens where application_id = ${applicationId} and token_hash = ${hash} returning account_id`);
  return row?.account_id ?? null;
}

/**
 * Removes some tokens that have expired, only those from which nothing was exchanged: children expire first, and a deletion that
 * cascades could meet another one half-way and deadlock.
 */
export async function deleteOldAccessTokens(tx: Tx, applicationId: ApplicationId, now: Date, limit: number): Promise<void> {
  await tx.execute(sql`
    delete from access_tokens
     where application_id = ${applicationId} and token_hash in (
       select t.token_hash from access_tokens t
        where t.application_id = ${applicationId} and t.expires_at < ${now}
          and not exists (select from access_tokens c where c.application_id = ${applicationId} and c.parent_token_hash = t.token_hash)
        limit ${limit} for update skip locked)`);
}

/**
 * Deletes the tokens of these accounts that were issued before a moment (null: all), with those that were exchanged from them or hang
 * from a grant of that age; answers how many of them were still good. Parents go before their children, so that a cascade that comes
 * the same way is waited for, not met.
 */
export async function deleteAccessTokensOf(tx: Tx, { applicationId, accountIds, before }: AccountsOlderThan, now: Date): Promise<number> {
  const old = (column: Sql) => sql`(${before}::timestamptz is null or ${column} < ${before}::timestamptz)`;
  const { good } = await tx.one<{ good: number }>(sql`
    with recursive doomed as (
      select t.token_hash, t.expires_at from access_tokens t
        left join grants g on g.application_id = t.application_id and g.grant_id = t.grant_id
       where t.application_id = ${applicationId} and t.account_id = any(${accountIds}::bigint[])
         and (${old(sql`t.created_at`)} or ${old(sql`g.created_at`)})
      union
      select c.token_hash, c.expires_at from access_tokens c
        join doomed d on c.application_id = ${applicationId} and c.parent_token_hash = d.token_hash
    )
    select count(*) as good from doomed where expires_at is null or expires_at > ${now}`);
  await tx.execute(sql`
    delete from access_tokens where application_id = ${applicationId} and token_hash in (
      select token_hash from access_tokens
       where application_id = ${applicationId} and account_id = any(${accountIds}::bigint[]) and ${old(sql`created_at`)}
       order by depth, token_hash for update)`);
  return Number(good);
}
