import { httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { FunctionManifest } from '@bulkhead/protocol';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { auditOrganization } from '../audit/index.ts';
import {
  type AppEnvironment,
  assertApp,
  assertMayHear,
  type Deployment,
  findDeployment,
  insertDeployment,
  lockApp,
  switchTo,
} from './deployment-store.ts';
import { countEnvironmentInstalls } from './environment-install-store.ts';
import { ensureEnvironment } from './environment-store.ts';
import { functionErrors } from './function-errors.ts';
import { refuseLimitsBeyond } from './function-limits.ts';
import type { FunctionLimits, FunctionRunner } from './function-runner.ts';
import { refuseUnknownEvents } from './jobs/known-events.ts';
import { assertLoads } from './load-check.ts';
import { pruneDeployments } from './prune-deployments.ts';
import { unapproved } from './running-version.ts';

export interface DeployingParts {
  readonly db: Database;
  readonly runner: FunctionRunner;
  readonly functionLimits: FunctionLimits;
}

/** What a deployment, or a rollback, has come to. */
export interface Switched {
  readonly deployment: Deployment;
  /** Permissions that the version before did not request, sorted. */
  readonly newPermissions: readonly string[];
  /** Installs in the environment, and those that go on with an older version, or without one, until what is new is approved for them. */
  readonly installs: number;
  readonly waiting: number;
}

type Context = RequestContext<MetaTokenPrincipal>;

/**
 * Keeps code as the newest version of an environment, once it has been started. From the commit on it runs for each install for which all it
 * requests was approved; the others go on with what they have. Throws `function.app_unknown`, `function.triggers_without_read`,
 * `function.limit_too_high`, `function.does_not_load`, `function.no_runner`.
 */
export async function deployFunctions(
  { db, runner, functionLimits }: DeployingParts,
  context: Context,
  { appKey, environment, manifest, code }: { appKey: string; environment: string; manifest: FunctionManifest; code: string },
): Promise<Switched> {
  const { organizationId } = context.principal;
  const of = { organizationId, appKey, environment };
  if (manifest.app !== appKey)
    throw httpErrors('request.invalid', { field: 'manifest.app', params: { problem: 'expected the key of the App in the path' } });
  refuseLimitsBeyond(manifest, functionLimits);
  refuseUnknownEvents(manifest);
  // Nothing of the database is held while strangers' code starts.
  await db.withOrganization(organizationId, async (tx) => {
    await assertApp(tx, of);
    await assertMayHear(tx, of, manifest);
  });
  await assertLoads(runner, { manifest, code });
  const { before, put } = await db.withOrganization(organizationId, async (tx) => {
    await lockApp(tx, of);
    await ensureEnvironment(tx, of, context.now);
    const last = await findDeployment(tx, of);
    const inserted = await insertDeployment(tx, { ...of, manifest, code, now: context.now });
    const { version, codeSha256, permissions } = inserted;
    await auditOrganization(tx, context, organizationId, {
      target: appKey,
      detail: { environment, version, code_sha256: codeSha256, permissions },
    });
    return { before: last, put: inserted };
  });
  await db.withSystem('forget versions of functions that nobody runs', (tx) => pruneDeployments(tx, of));
  return switched(db, of, { deployment: put, before });
}

/**
 * Goes back to a version, or with none named to the one before: from the commit on it is the newest that runs, and what came after it runs
 * for nobody. A version that was left so can be named again. Throws `function.app_unknown`, `function.no_version`.
 */
export async function rollBack(
  { db }: Pick<DeployingParts, 'db'>,
  context: Context,
  { appKey, environment, version }: { appKey: string; environment: string; version: number | undefined },
): Promise<Switched> {
  const { organizationId } = context.principal;
  const of = { organizationId, appKey, environment };
  const { before, put } = await db.withOrganization(organizationId, async (tx) => {
    await lockApp(tx, of);
    const last = await findDeployment(tx, of);
    const target = version ?? (last === null ? null : (await findDeployment(tx, { ...of, before: last.version }))?.version) ?? null;
    const found = target === null ? null : await switchTo(tx, { ...of, version: target, now: context.now });
    if (found === null) throw functionErrors('function.no_version', { params: { app_key: appKey, environment } });
    await auditOrganization(tx, context, organizationId, {
      target: appKey,
      detail: { environment, version: found.version, from: last?.version ?? null },
    });
    return { before: last, put: found };
  });
  return switched(db, of, { deployment: put, before });
}

async function switched(
  db: Database,
  of: AppEnvironment,
  { deployment, before }: { deployment: Deployment; before: Deployment | null },
): Promise<Switched> {
  const counted = await db.withSystem('count the installs that wait for consent', (tx) =>
    countEnvironmentInstalls(tx, of, deployment.permissions),
  );
  return { deployment, newPermissions: unapproved(deployment.permissions, before?.permissions ?? []), ...counted };
}
