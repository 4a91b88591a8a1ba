import { createHash } from 'node:crypto';
import type { Page } from '@bulkhead/http';
import { sql, type Tx } from '@bulkhead/postgres';
import { egressHostsOf, type FunctionManifest, requestedPermissions, READING_SCOPES } from '@bulkhead/protocol';
import { functionErrors } from './function-errors.ts';

/** An environment of an App, by which its versions are counted. */
export interface AppEnvironment {
  readonly organizationId: string;
  readonly appKey: string;
  readonly environment: string;
}

export interface Deployment {
  readonly appKey: string;
  readonly environment: string;
  readonly version: number;
  readonly manifest: FunctionManifest;
  /** Their keys. */
  readonly functions: readonly string[];
  /** What the manifest requests, sorted. */
  readonly permissions: readonly string[];
  readonly egressHosts: readonly string[];
  readonly codeSha256: string;
  readonly createdAt: Date;
  /** Since when it runs for nobody, because of a rollback. */
  readonly withdrawnAt: Date | null;
  /** Of the variables that are set for the environment: another one with each change. */
  readonly variablesRevision: string;
}

interface DeploymentRow {
  app_key: string;
  environment: string;
  version: number;
  manifest: FunctionManifest;
  permissions: string[];
  code_sha256: string;
  created_at: Date;
  withdrawn_at: Date | null;
  variables_revision: string;
}

const columns = sql`d.app_key, d.environment, d.version, d.manifest, d.permissions, d.code_sha256, d.created_at, d.withdrawn_at, e.variables_revision`;
const deployments = sql`function_deployments d join function_environments e using (organization_id, app_key, environment)`;

function deployment(row: DeploymentRow): Deployment {
  return {
    appKey: row.app_key,
    environment: row.environment,
    version: row.version,
    manifest: row.manifest,
    functions: row.manifest.functions.map(({ key }) => key),
    permissions: row.permissions,
    egressHosts: egressHostsOf(row.manifest),
    codeSha256: row.code_sha256,
    createdAt: row.created_at,
    withdrawnAt: row.withdrawn_at,
    variablesRevision: row.variables_revision,
  };
}

function of({ organizationId, appKey, environment }: AppEnvironment) {
  return sql`d.organization_id = ${organizationId} and d.app_key = ${appKey} and d.environment = ${environment}`;
}

/** Throws `function.app_unknown` where the App is not the organization's. */
export async function assertApp(tx: Tx, { organizationId, appKey }: Pick<AppEnvironment, 'organizationId' | 'appKey'>): Promise<void> {
  const app = await tx.maybe(sql`select 1 from apps where organization_id = ${organizationId} and app_key = ${appKey}`);
  if (app === null) throw functionErrors('function.app_unknown');
}

/** Throws `function.triggers_without_read` where a manifest asks for events and the App's descriptor for no scope that reads. */
export async function assertMayHear(
  tx: Tx,
  { organizationId, appKey }: Pick<AppEnvironment, 'organizationId' | 'appKey'>,
  { triggers = [] }: FunctionManifest,
): Promise<void> {
  if (triggers.length === 0) return;
  const reading = await tx.maybe(sql`
    select 1 from apps where organization_id = ${organizationId} and app_key = ${appKey}
       and descriptor -> 'scopes' ?| ${[...READING_SCOPES]}::text[]`);
  if (reading === null) throw functionErrors('function.triggers_without_read', { field: 'manifest.triggers' });
}

/** Lets one transaction at a time change an App's versions, so that their numbers have no gaps. Throws `function.app_unknown`. */
export async function lockApp(tx: Tx, { organizationId, appKey }: Pick<AppEnvironment, 'organizationId' | 'appKey'>): Promise<void> {
  const app = await tx.maybe(sql`select 1 from apps where organization_id = ${organizationId} and app_key = ${appKey} for update`);
  if (app === null) throw functionErrors('function.app_unknown');
}

/** Of an environment, those included that installs hold. */
const VERSIONS_MAX = 100;

/** Keeps code as the next version of an environment that is there. Throws `function.versions_full`. The App is locked. */
export async function insertDeployment(
  tx: Tx,
  fields: AppEnvironment & { manifest: FunctionManifest; code: string; now: Date },
): Promise<Deployment> {
  const { organizationId, appKey, environment, manifest, code, now } = fields;
  const { next, held } = await tx.one<{ next: number; held: number }>(
    sql`select coalesce(max(d.version), 0) + 1 as next, count(*) as held from function_deployments d where ${of(fields)}`,
  );
  if (Number(held) >= VERSIONS_MAX) throw functionErrors('function.versions_full', { params: { limit: VERSIONS_MAX, environment } });
  await tx.execute(sql`
    insert into function_deployments (organization_id, app_key, environment, version, manifest, permissions, code, code_sha256, created_at)
    values (${organizationId}, ${appKey}, ${environment}, ${next}, ${JSON.stringify(manifest)}::jsonb, ${requestedPermissions(manifest)},
            ${code}, ${createHash('sha256').update(code).digest('hex')}, ${now})`);
  const row = await tx.one<DeploymentRow>(sql`select ${columns} from ${deployments} where ${of(fields)} and d.version = ${next}`);
  return deployment(row);
}

/** The newest version that is not withdrawn; with `approved`, of those that request nothing else. */
export async function findDeployment(
  tx: Tx,
  { approved, before, ...environment }: AppEnvironment & { approved?: readonly string[]; before?: number },
): Promise<Deployment | null> {
  const row = await tx.maybe<DeploymentRow>(sql`
    select ${columns} from ${deployments}
     where ${of(environment)} and d.withdrawn_at is null
       and (${approved === undefined} or d.permissions <@ ${approved ?? []}::text[]) and d.version < ${before ?? 2 ** 31 - 1}
     order by d.version desc limit 1`);
  return row === null ? null : deployment(row);
}

/** A version, withdrawn or not; null where it is gone. */
export async function findVersion(tx: Tx, { version, ...environment }: AppEnvironment & { version: number }): Promise<Deployment | null> {
  const row = await tx.maybe<DeploymentRow>(sql`select ${columns} from ${deployments} where ${of(environment)} and d.version = ${version}`);
  return row === null ? null : deployment(row);
}

/** Versions, the newest first; with `environment`, its own. */
export async function listDeployments(
  tx: Tx,
  { organizationId, appKey, environment }: Omit<AppEnvironment, 'environment'> & { environment: string | null },
  page: { page: number; page_size: number },
): Promise<Page<Deployment>> {
  const which = sql`d.organization_id = ${organizationId} and d.app_key = ${appKey} and (${environment}::text is null or d.environment = ${environment})`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from function_deployments d where ${which}`);
  const rows = await tx.query<DeploymentRow>(sql`
    select ${columns} from ${deployments} where ${which}
     order by d.created_at desc, d.environment, d.version desc limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(deployment), total };
}

/**
 * Makes a version the newest that is not withdrawn: what is newer runs for nobody from the commit on; the version itself does again, if it was
 * withdrawn. Null where there is no such version. The App is locked.
 */
export async function switchTo(
  tx: Tx,
  { version, now, ...environment }: AppEnvironment & { version: number; now: Date },
): Promise<Deployment | null> {
  const found = await findVersion(tx, { ...environment, version });
  if (found === null) return null;
  await tx.execute(sql`
    update function_deployments d set withdrawn_at = case when d.version > ${version} then coalesce(d.withdrawn_at, ${now}::timestamptz) end
     where ${of(environment)} and d.version >= ${version}`);
  return { ...found, withdrawnAt: null };
}

/** The code of one version; null where it is gone. */
export async function findCode(tx: Tx, { version, ...environment }: AppEnvironment & { version: number }): Promise<string | null> {
  const row = await tx.maybe<{ code: string }>(
    sql`select d.code from function_deployments d where ${of(environment)} and d.version = ${version}`,
  );
  return row?.code ?? null;
}
