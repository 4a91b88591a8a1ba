import { sql, type Tx } from '@bulkhead/postgres';
import type { AppEnvironment } from './deployment-store.ts';
import { functionErrors } from './function-errors.ts';

/** Per App. */
const ENVIRONMENTS_MAX = 20;

/** An environment as an organization sees it. */
export interface SeenEnvironment {
  readonly environment: string;
  readonly createdAt: Date;
  /** The newest version that is not withdrawn, and what it requests; null: nothing is deployed. */
  readonly newest: number | null;
  readonly permissions: readonly string[];
  readonly versions: number;
  readonly variables: number;
}

/** Sees to it that an environment is there. Throws `function.environments_full`. The App is locked. */
export async function ensureEnvironment(tx: Tx, { organizationId, appKey, environment }: AppEnvironment, now: Date): Promise<void> {
  const made = await tx.execute(sql`
    insert into function_environments (organization_id, app_key, environment, created_at)
    values (${organizationId}, ${appKey}, ${environment}, ${now}) on conflict do nothing`);
  if (made === 0) return;
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from function_environments where organization_id = ${organizationId} and app_key = ${appKey}`);
  if (Number(held) > ENVIRONMENTS_MAX) throw functionErrors('function.environments_full', { params: { limit: ENVIRONMENTS_MAX } });
}

export async function hasEnvironment(tx: Tx, { organizationId, appKey, environment }: AppEnvironment): Promise<boolean> {
  const row = await tx.maybe(sql`
    select 1 from function_environments where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment}`);
  return row !== null;
}

/** The environments of an App, by name. */
export async function listEnvironments(
  tx: Tx,
  { organizationId, appKey }: Pick<AppEnvironment, 'organizationId' | 'appKey'>,
): Promise<SeenEnvironment[]> {
  const rows = await tx.query<{
    environment: string;
    created_at: Date;
    newest: number | null;
    permissions: string[] | null;
    versions: number;
    variables: number;
  }>(sql`
    select e.environment, e.created_at, d.version as newest, d.permissions,
           (select count(*) from function_deployments d where d.organization_id = e.organization_id and d.app_key = e.app_key
               and d.environment = e.environment) as versions,
           (select count(*) from function_variables v where v.organization_id = e.organization_id and v.app_key = e.app_key
               and v.environment = e.environment) as variables
      from function_environments e
      left join lateral (
        select version, permissions from function_deployments d
         where d.organization_id = e.organization_id and d.app_key = e.app_key and d.environment = e.environment and d.withdrawn_at is null
         order by version desc limit 1) d on true
     where e.organization_id = ${organizationId} and e.app_key = ${appKey} order by e.environment collate "C"`);
  return rows.map((row) => ({
    environment: row.environment,
    createdAt: row.created_at,
    newest: row.newest,
    permissions: row.permissions ?? [],
    versions: Number(row.versions),
    variables: Number(row.variables),
  }));
}

/** Takes every version away: from the commit on nothing runs in the environment. The App is locked. */
export async function deleteVersions(tx: Tx, { organizationId, appKey, environment }: AppEnvironment): Promise<void> {
  await tx.execute(sql`
    delete from function_deployments where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment}`);
}

/** Takes an environment away with what is set for it, unless something was deployed to it meanwhile. */
export async function deleteEnvironment(tx: Tx, { organizationId, appKey, environment }: AppEnvironment): Promise<void> {
  await tx.execute(sql`
    delete from function_environments e
     where e.organization_id = ${organizationId} and e.app_key = ${appKey} and e.environment = ${environment}
       and not exists (select from function_deployments d where d.organization_id = e.organization_id and d.app_key = e.app_key
                          and d.environment = e.environment)`);
}

/** A table in which installs have something per environment; `parent`: rows of other tables go with its rows. */
export interface EnvironmentTable {
  readonly name: string;
  readonly parent: boolean;
}

/** Whatever tables of that form the migrated database has. */
export async function tablesOfEnvironments(tx: Tx): Promise<EnvironmentTable[]> {
  return tx.query<{ name: string; parent: boolean }>(sql`
    select relname as name, exists (select from pg_constraint where confrelid = pg_class.oid) as parent from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
       and 3 = (select count(*) from pg_attribute where attrelid = pg_class.oid and not attisdropped
                   and attname in ('application_id', 'client_key', 'environment'))
     order by 1`);
}

/** Deletes what the organization's installs have of an environment in one table; at most `limit` rows. For the system role. */
export async function deleteOfEnvironment(
  tx: Tx,
  table: string,
  { organizationId, appKey, environment, limit }: AppEnvironment & { limit: number },
): Promise<number> {
  return tx.execute(sql`
    delete from ${sql.identifier(table)} where ctid = any(array(
      select t.ctid from applications a
        join app_installs i on i.application_id = a.application_id and i.app_key = ${appKey}
        join ${sql.identifier(table)} t on t.application_id = i.application_id and t.client_key = i.client_key and t.environment = ${environment}
       where a.organization_id = ${organizationId} limit ${limit}))`);
}
