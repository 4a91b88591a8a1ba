import type { ApplicationId } from '@bulkhead/base';
import { type Sql, sql, type Tx } from '@bulkhead/postgres';
import { revocation } from '../vault/index.ts';
import type { Match, Reach, Selection } from './selection.ts';

/** Only reads, across tables of others: what is written is written by their slices. */

function isOld(before: Date | null, column: Sql): Sql {
  return sql`(${before}::timestamptz is null or ${column} < ${before}::timestamptz)`;
}

function isSelected({ applicationId, service }: Selection): Sql {
  return sql`(${applicationId}::text is null or a.application_id = ${applicationId}::text) and (${service}::text is null or a.service = ${service}::text)`;
}

interface MatchRow {
  application_id: ApplicationId;
  name: string;
  service: string;
  accounts: number;
  upstream_credentials: number;
  grants: number;
  access_tokens: number;
  refresh_tokens: number;
  oldest: Date;
  newest: Date;
}

/** What matches, per Application and service, most first. Across tenants: for the system role. */
export async function listMatches(tx: Tx, selection: Selection, { upstream }: Reach, now: Date): Promise<Match[]> {
  const { before } = selection;
  const rows = await tx.query<MatchRow>(sql`
    with recursive chosen as (
      select a.application_id, a.account_id, a.service, a.credential_id from accounts a
        join applications p on p.application_id = a.application_id and p.deleted_at is null
       where ${isSelected(selection)}
    ), doomed as (
      select t.application_id, t.account_id, t.token_hash, t.created_at, t.expires_at
        from access_tokens t join chosen a using (application_id, account_id)
        left join grants g on g.application_id = t.application_id and g.grant_id = t.grant_id
       where ${isOld(before, sql`t.created_at`)} or ${isOld(before, sql`g.created_at`)}
      union
      select t.application_id, t.account_id, t.token_hash, t.created_at, t.expires_at
        from access_tokens t join doomed d on t.application_id = d.application_id and t.parent_token_hash = d.token_hash
    ), found as (
      select c.application_id, a.account_id, 'upstream' as kind, c.created_at
        from credentials c join chosen a using (application_id, credential_id)
       where ${upstream} and ${isOld(before, sql`c.created_at`)}
      union all
      select p.application_id, p.account_id, 'upstream', p.created_at
        from pending_connections p join chosen a using (application_id, account_id)
       where ${upstream} and ${isOld(before, sql`p.created_at`)}
      union all
      select g.application_id, g.account_id, 'grant', g.created_at
        from grants g join chosen a using (application_id, account_id) where ${isOld(before, sql`g.created_at`)}
      union all
      select o.application_id, o.account_id, 'code', o.created_at
        from authorization_codes o join chosen a using (application_id, account_id)
       where o.used_at is null and o.expires_at > ${now} and ${isOld(before, sql`o.created_at`)}
      union all
      select application_id, account_id, 'access', created_at from doomed where expires_at is null or expires_at > ${now}
      union all
      select g.application_id, g.account_id, 'refresh', r.created_at
        from refresh_tokens r join grants g using (application_id, grant_id) join chosen a using (application_id, account_id)
       where r.used_at is null and r.expires_at > ${now} and ${isOld(before, sql`g.created_at`)}
    )
    select a.application_id, p.name, a.service, count(distinct a.account_id) as accounts,
           count(*) filter (where f.kind = 'upstream') as upstream_credentials, count(*) filter (where f.kind = 'grant') as grants,
           count(*) filter (where f.kind = 'access') as access_tokens, count(*) filter (where f.kind = 'refresh') as refresh_tokens,
           min(f.created_at) as oldest, max(f.created_at) as newest
      from found f join chosen a using (application_id, account_id) join applications p using (application_id)
     group by a.application_id, p.name, a.service
     order by accounts desc, a.application_id, a.service`);
  return rows.map((row) => ({
    applicationId: row.application_id,
    applicationName: row.name,
    service: row.service,
    accounts: Number(row.accounts),
    upstreamCredentials: Number(row.upstream_credentials),
    grants: Number(row.grants),
    accessTokens: Number(row.access_tokens),
    refreshTokens: Number(row.refresh_tokens),
    oldest: row.oldest,
    newest: row.newest,
  }));
}

/** Upstream credentials of the selection's Application and service that were revoked here and not yet, or not successfully, at their service. */
export async function countUntold(
  tx: Tx,
  { applicationId, service }: Selection,
): Promise<{ readonly waiting: number; readonly failing: number }> {
  const row = await tx.one<{ waiting: number; failing: number }>(sql`
    select count(*) as waiting, count(*) filter (where t.last_error is not null) as failing
      from tasks t join credentials c on c.application_id = t.application_id and c.credential_id = t.payload ->> 'credentialId'
     where t.name = ${revocation.name} and (${applicationId}::text is null or t.application_id = ${applicationId}::text)
       and (${service}::text is null or c.service = ${service}::text)`);
  return { waiting: Number(row.waiting), failing: Number(row.failing) };
}

/** Whether the Application exists, and is not deleted. */
export async function isLiveApplication(tx: Tx, applicationId: ApplicationId): Promise<boolean> {
  return (await tx.maybe(sql`select 1 from applications where application_id = ${applicationId} and deleted_at is null`)) !== null;
}

/** Whether anybody describes this service for itself, or has an account at it. */
export async function isServiceInUse(tx: Tx, service: string): Promise<boolean> {
  const rows = await tx.query(sql`
    (select 1 from custom_services where service = ${service} limit 1) union all (select 1 from accounts where service = ${service} limit 1)`);
  return rows.length > 0;
}

/**
 * Takes the next accounts of one Application of which anything matches, by their ids, and holds them until the transaction ends. `after`
 * is the last one of the batch before, 0 at first.
 */
export async function holdMatchingAccounts(
  tx: Tx,
  { service, before }: Selection,
  { upstream }: Reach,
  batch: { readonly applicationId: ApplicationId; readonly after: number; readonly limit: number; readonly now: Date },
): Promise<number[]> {
  const { applicationId, now } = batch;
  const hasOld = (table: Sql, condition: Sql = sql`true`): Sql =>
    sql`exists (select from ${table} x where x.application_id = ${applicationId} and x.account_id = a.account_id and ${isOld(before, sql`x.created_at`)} and ${condition})`;
  const rows = await tx.query<{ account_id: number }>(sql`
    select a.account_id from accounts a
     where a.application_id = ${applicationId} and a.account_id > ${batch.after} and (${service}::text is null or a.service = ${service}::text)
       and (${hasOld(sql`grants`)} or ${hasOld(sql`access_tokens`, sql`(x.expires_at is null or x.expires_at > ${now})`)}
         or ${hasOld(sql`authorization_codes`, sql`x.used_at is null and x.expires_at > ${now}`)}
         or (${upstream} and (${hasOld(sql`pending_connections`)}
           or exists (select from credentials c where c.application_id = ${applicationId} and c.credential_id = a.credential_id
                                                 and ${isOld(before, sql`c.created_at`)}))))
     order by a.account_id limit ${batch.limit} for update of a`);
  return rows.map((row) => row.account_id);
}
