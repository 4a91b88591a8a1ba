import type { ApplicationId } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { sql, type TenantTx, type Tx } from '@bulkhead/postgres';
import type { AppEnvironment } from './deployment-store.ts';

/** In which every install is, without being asked. */
export const PRODUCTION = 'production';

/** An install in an environment. */
export interface Membership {
  readonly environment: string;
  /** Permissions, sorted. */
  readonly approved: readonly string[];
  /** Of what is set for this install: another one with each change. */
  readonly variablesRevision: string;
}

interface MembershipRow {
  environment: string;
  approved: string[];
  variables_revision: string;
}

const membership = (row: MembershipRow): Membership => ({
  environment: row.environment,
  approved: row.approved,
  variablesRevision: row.variables_revision,
});

/** Null where the install is not in the environment. */
export async function findMembership(tx: TenantTx, clientKey: string, environment: string): Promise<Membership | null> {
  const row = await tx.maybe<MembershipRow>(sql`
    select environment, approved, variables_revision from function_installs
     where application_id = ${tx.applicationId} and client_key = ${clientKey} and environment = ${environment}`);
  if (row !== null) return membership(row);
  return environment === PRODUCTION ? { environment, approved: [], variablesRevision: '' } : null;
}

/** The environments of an install: production, then the others by name. */
export async function listMemberships(tx: TenantTx, clientKey: string): Promise<Membership[]> {
  const rows = await tx.query<MembershipRow>(sql`
    select environment, approved, variables_revision from function_installs
     where application_id = ${tx.applicationId} and client_key = ${clientKey} order by environment collate "C"`);
  const production = rows.find(({ environment }) => environment === PRODUCTION);
  return [
    production === undefined ? { environment: PRODUCTION, approved: [], variablesRevision: '' } : membership(production),
    ...rows.filter((row) => row !== production).map(membership),
  ];
}

/** Brings an install into an environment, if it is not there, and approves permissions beside those that are. */
export async function approve(
  tx: TenantTx,
  { clientKey, environment, permissions, now }: { clientKey: string; environment: string; permissions: readonly string[]; now: Date },
): Promise<Membership> {
  const row = await tx.one<MembershipRow>(sql`
    insert into function_installs (application_id, client_key, environment, approved, joined_at, modified_at)
    values (${tx.applicationId}, ${clientKey}, ${environment}, ${permissions}, ${now}, ${now})
    on conflict (application_id, client_key, environment) do update
       set modified_at = excluded.modified_at,
           approved = array(select distinct unnest(function_installs.approved || excluded.approved) collate "C" order by 1)
    returning environment, approved, variables_revision`);
  return membership(row);
}

/** Takes an install out of an environment, with what was approved and set for it there. False: it was not in it. */
export async function leave(tx: TenantTx, clientKey: string, environment: string): Promise<boolean> {
  const left = await tx.execute(sql`
    delete from function_installs
     where application_id = ${tx.applicationId} and client_key = ${clientKey} and environment = ${environment}`);
  return left === 1;
}

/** An install in an environment, as it is found across Applications. */
export interface EnvironmentInstall {
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  readonly approved: readonly string[];
}

interface EnvironmentInstallRow {
  application_id: ApplicationId;
  client_key: string;
  approved: string[];
}

/** Of Applications and installs that are on, those in an environment of an App. */
function environmentInstalls({ organizationId, appKey, environment }: AppEnvironment) {
  return sql`
    from applications a
    join app_installs i on i.application_id = a.application_id and i.app_key = ${appKey}
    left join function_installs f on f.application_id = i.application_id and f.client_key = i.client_key and f.environment = ${environment}
   where a.organization_id = ${organizationId} and a.active and a.deleted_at is null and i.status = 'enabled'
     and (${environment === PRODUCTION} or f.client_key is not null)`;
}

/**
 * The enabled installs in an environment, of the organization's Applications that are on, in the order of their Application ids; at most
 * `limit` after `after`. What runs in the background reaches these and no other. For the system role.
 */
export async function listEnvironmentInstalls(
  tx: Tx,
  { after, limit, ...environment }: AppEnvironment & { after: string; limit: number },
): Promise<EnvironmentInstall[]> {
  const rows = await tx.query<EnvironmentInstallRow>(sql`
    select i.application_id, i.client_key, coalesce(f.approved, '{}') as approved ${environmentInstalls(environment)}
       and i.application_id collate "C" > ${after}
     order by i.application_id collate "C" limit ${limit}`);
  return rows.map(environmentInstall);
}

/** How many installs are in an environment, and for how many of them not all of `permissions` are approved. For the system role. */
export async function countEnvironmentInstalls(
  tx: Tx,
  environment: AppEnvironment,
  permissions: readonly string[],
): Promise<{ readonly installs: number; readonly waiting: number }> {
  const row = await tx.one<{ installs: number; waiting: number }>(sql`
    select count(*) as installs, count(*) filter (where not ${permissions}::text[] <@ coalesce(f.approved, '{}')) as waiting
      ${environmentInstalls(environment)}`);
  return { installs: Number(row.installs), waiting: Number(row.waiting) };
}

/** Those for which not all of `permissions` are approved. For the system role. */
export async function listWaitingInstalls(
  tx: Tx,
  environment: AppEnvironment,
  permissions: readonly string[],
  page: { page: number; page_size: number },
): Promise<Page<EnvironmentInstall>> {
  const waiting = sql`${environmentInstalls(environment)} and not ${permissions}::text[] <@ coalesce(f.approved, '{}')`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total ${waiting}`);
  const rows = await tx.query<EnvironmentInstallRow>(sql`
    select i.application_id, i.client_key, coalesce(f.approved, '{}') as approved ${waiting}
     order by i.application_id collate "C" limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(environmentInstall), total: Number(total) };
}

function environmentInstall(row: EnvironmentInstallRow): EnvironmentInstall {
  return { applicationId: row.application_id, clientKey: row.client_key, approved: row.approved };
}
