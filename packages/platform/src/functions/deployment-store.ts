import { createHash } from 'node:crypto';
import { sql, type Tx } from '@bulkhead/postgres';
import { egressHostsOf, type FunctionManifest } from '@bulkhead/protocol';

/** Kept per App and environment; the oldest beyond it go. */
const DEPLOYMENTS_KEPT = 10;

export interface Deployment {
  readonly appKey: string;
  readonly environment: string;
  readonly version: number;
  readonly manifest: FunctionManifest;
  /** Their keys. */
  readonly functions: readonly string[];
  readonly egressHosts: readonly string[];
  readonly codeSha256: string;
  readonly createdAt: Date;
}

interface DeploymentRow {
  app_key: string;
  environment: string;
  version: number;
  manifest: FunctionManifest;
  code_sha256: string;
  created_at: Date;
}

const columns = sql`app_key, environment, version, manifest, code_sha256, created_at`;

function deployment(row: DeploymentRow): Deployment {
  return {
    appKey: row.app_key,
    environment: row.environment,
    version: row.version,
    manifest: row.manifest,
    functions: row.manifest.functions.map(({ key }) => key),
    egressHosts: egressHostsOf(row.manifest),
    codeSha256: row.code_sha256,
    createdAt: row.created_at,
  };
}

/** Keeps code as the next version of an environment; null where the App is not the organization's. */
export async function insertDeployment(
  tx: Tx,
  fields: {
    organizationId: string;
    appKey: string;
    environment: string;
    manifest: FunctionManifest;
    code: string;
    now: Date;
  },
): Promise<Deployment | null> {
  const { organizationId, appKey, environment, code } = fields;
  // One deployment of an App at a time: their numbers have no gaps.
  const app = await tx.maybe(sql`select 1 from apps where organization_id = ${organizationId} and app_key = ${appKey} for update`);
  if (app === null) return null;
  const { next } = await tx.one<{ next: number }>(sql`
    select coalesce(max(version), 0) + 1 as next from function_deployments
     where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment}`);
  const row = await tx.one<DeploymentRow>(sql`
    insert into function_deployments (organization_id, app_key, environment, version, manifest, code, code_sha256, created_at)
    values (${organizationId}, ${appKey}, ${environment}, ${next}, ${JSON.stringify(fields.manifest)}::jsonb, ${code},
            ${createHash('sha256').update(code).digest('hex')}, ${fields.now})
    returning ${columns}`);
  await tx.execute(sql`
    delete from function_deployments
     where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment} and version <= ${next - DEPLOYMENTS_KEPT}`);
  return deployment(row);
}

/** The newest of an environment: what runs. */
export async function findDeployment(
  tx: Tx,
  { organizationId, appKey, environment }: { organizationId: string; appKey: string; environment: string },
): Promise<Deployment | null> {
  const row = await tx.maybe<DeploymentRow>(sql`
    select ${columns} from function_deployments
     where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment}
     order by version desc limit 1`);
  return row === null ? null : deployment(row);
}

/** The manifest of one version; null where it is gone. */
export async function findManifest(
  tx: Tx,
  { organizationId, appKey, environment, version }: { organizationId: string; appKey: string; environment: string; version: number },
): Promise<FunctionManifest | null> {
  const row = await tx.maybe<{ manifest: FunctionManifest }>(sql`
    select manifest from function_deployments
     where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment} and version = ${version}`);
  return row?.manifest ?? null;
}

/** The code of one version; null where it is gone. */
export async function findCode(
  tx: Tx,
  { organizationId, appKey, environment, version }: { organizationId: string; appKey: string; environment: string; version: number },
): Promise<string | null> {
  const row = await tx.maybe<{ code: string }>(sql`
    select code from function_deployments
     where organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment} and version = ${version}`);
  return row?.code ?? null;
}
