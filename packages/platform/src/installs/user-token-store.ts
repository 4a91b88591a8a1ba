import { type ApplicationId, defineTenantCredential } from '@bulkhead/base';
import { type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { AppScope } from '@bulkhead/protocol';

/** A token by which an App acts for a user of its tenant. */
export const userTokens = defineTenantCredential('bhu');
/** Longer than any assertion counts: the row of its token is what spends one. */
export const USER_TOKEN_SECONDS = 900;
export const USER_TOKENS_MAX = 10_000;

export interface NewUserToken {
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  /** Of the install, as it was. */
  readonly generation: number;
  readonly tokenHash: Buffer;
  readonly userId: string;
  readonly scopes: readonly AppScope[];
  readonly assertionHash: Buffer;
  readonly now: Date;
  readonly expiresAt: Date;
}

/** Writes a token. `spent`: the assertion has one already. `full`: the install has as many as it may. */
export async function insertUserToken(tx: Tx, token: NewUserToken): Promise<'issued' | 'spent' | 'full'> {
  const { applicationId, clientKey, now } = token;
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from (
      select from app_user_tokens where application_id = ${applicationId} and client_key = ${clientKey} and expires_at > ${now} limit ${USER_TOKENS_MAX}
    ) as live`);
  if (Number(held) >= USER_TOKENS_MAX) return 'full';
  const inserted = await tx.execute(sql`
    insert into app_user_tokens (application_id, token_hash, client_key, generation, user_id, scopes, assertion_hash, created_at, expires_at)
    values (${applicationId}, ${token.tokenHash}, ${clientKey}, ${token.generation}, ${token.userId}, ${token.scopes}, ${token.assertionHash},
            ${now}, ${token.expiresAt})
    on conflict (application_id, client_key, assertion_hash) do nothing`);
  return inserted === 1 ? 'issued' : 'spent';
}

export interface LiveUserToken {
  readonly client_key: string;
  readonly app_key: string;
  readonly user_id: string;
  readonly scopes: readonly AppScope[];
}

/** The token, if it counts: not over, and of an install that has been neither changed nor made anew since, in an Application that is on. */
export function selectLiveUserToken({ applicationId, hash, now }: { applicationId: ApplicationId; hash: Buffer; now: Date }): Sql {
  return sql`
    select t.client_key, i.app_key, t.user_id, t.scopes
      from app_user_tokens t
      join app_installs i on i.application_id = t.application_id and i.client_key = t.client_key
      join applications a on a.application_id = t.application_id
     where t.application_id = ${applicationId} and t.token_hash = ${hash} and t.expires_at > ${now}
       and i.status = 'enabled' and i.generation = t.generation and a.active and a.deleted_at is null`;
}

/** Deletes tokens that are over, at most `limit`. For the system role. Answers how many. */
export async function deleteOldUserTokens(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from app_user_tokens where ctid = any(array(
      select ctid from app_user_tokens where expires_at <= ${now} limit ${limit} for update skip locked))`);
}
