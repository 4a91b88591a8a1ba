import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { AccountsOlderThan } from '../accounts/index.ts';

/** What one approval of one end user gave. */
export interface Grant {
  readonly grantId: string;
  readonly accountId: number;
  readonly scope: string;
  readonly endUser: string | null;
  /** Issued to an authenticated client: only an authenticated client may refresh it (RFC 6749 §6). */
  readonly confidential: boolean;
  /** Thumbprint of the key its first bound token has; every later token of it is bound too (RFC 9449 §5). */
  readonly dpopJkt: string | null;
}

export async function insertGrant(tx: Tx, grant: Grant & { applicationId: ApplicationId; now: Date }): Promise<void> {
  await tx.execute(sql`
    insert into grants (application_id, grant_id, account_id, scope, end_user, confidential, dpop_jkt, created_at)
    values (${grant.applicationId}, ${grant.grantId}, ${grant.accountId}, ${grant.scope}, ${grant.endUser}, ${grant.confidential},
            ${grant.dpopJkt}, ${grant.now})`);
}

/** Binds a grant that was not bound: from now on its tokens need a key. */
export async function bindGrant(tx: Tx, applicationId: ApplicationId, grantId: string, dpopJkt: string): Promise<void> {
  await tx.execute(sql`
    update grants set dpop_jkt = ${dpopJkt} where application_id = ${applicationId} and grant_id = ${grantId} and dpop_jkt is null`);
}

/** Ends the grant and with it every token that hangs from it. False where there was none (any more). */
export async function deleteGrant(tx: Tx, applicationId: ApplicationId, grantId: string): Promise<boolean> {
  return (await tx.execute(sql`delete from grants where application_id = ${applicationId} and grant_id = ${grantId}`)) === 1;
}

/** Removes some grants whose last refresh token expired unused, and some whose only tokens have expired. */
export async function deleteOldGrants(tx: Tx, applicationId: ApplicationId, now: Date, limit: number): Promise<void> {
  const unused = sql`
    select r.grant_id from refresh_tokens r
     where r.application_id = ${applicationId} and r.expires_at < ${now} and r.used_at is null
     limit ${limit}`;
  const outlived = sql`
    select t.grant_id from access_tokens t
     where t.application_id = ${applicationId} and t.expires_at < ${now} and t.grant_id is not null
       and not exists (select from refresh_tokens r where r.application_id = ${applicationId} and r.grant_id = t.grant_id)
       and not exists (select from access_tokens o where o.application_id = ${applicationId} and o.grant_id = t.grant_id
                                                     and (o.expires_at is null or o.expires_at >= ${now}))
     limit ${limit}`;
  // Both leave at once: before the tokens that tell which grants have outlived theirs are cleared away themselves.
  await Promise.all(
    [unused, outlived].map((which) =>
      tx.execute(sql`
        delete from grants where application_id = ${applicationId} and grant_id in (
          select grant_id from grants where application_id = ${applicationId} and grant_id in (${which}) for update skip locked)`),
    ),
  );
}

/** Ends the grants of these accounts that were given before a moment (null: all), and every token that hangs from them. */
export async function deleteGrantsOf(tx: Tx, { applicationId, accountIds, before }: AccountsOlderThan): Promise<number> {
  return tx.execute(sql`
    delete from grants where application_id = ${applicationId} and grant_id in (
      select grant_id from grants
       where application_id = ${applicationId} and account_id = any(${accountIds}::bigint[])
         and (${before}::timestamptz is null or created_at < ${before}::timestamptz)
       order by grant_id for update)`);
}
