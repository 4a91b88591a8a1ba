import { type ApplicationId, type Clock } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { findInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import type { Deployment } from './deployment-store.ts';
import { findMembership } from './environment-install-store.ts';
import { functionErrors } from './function-errors.ts';
import { limitsOf, tokenLifetimeMs } from './function-limits.ts';
import type { FunctionLimits, FunctionRunner, InvocationResult } from './function-runner.ts';
import type { JobContext } from './jobs/job.ts';
import { endInvocation, insertInvocation } from './invocation-store.ts';
import { findRunning, unapproved } from './running-version.ts';

export interface CallingParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly runner: FunctionRunner;
  /** What a function may ask for at most. */
  readonly functionLimits: FunctionLimits;
}

/** A function that may be called: of which code, for which install. */
export interface CallableFunction {
  readonly applicationId: ApplicationId;
  readonly organizationId: string;
  readonly clientKey: string;
  readonly deployment: Deployment;
  readonly functionKey: string;
}

export interface EndedCall {
  readonly invocationId: string;
  readonly deployment: Deployment;
  readonly result: InvocationResult;
}

/** What runs for an install. Throws `not_found`, `function.install_disabled`, `function.not_deployed`, `function.not_joined`, `function.not_approved`. */
export async function getRunning(
  db: Database,
  named: { applicationId: ApplicationId; organizationId: string; appKey: string; environment: string },
): Promise<{ readonly clientKey: string; readonly deployment: Deployment }> {
  const { applicationId, organizationId, appKey, environment } = named;
  const install = await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, appKey));
  if (install === null) throw httpErrors('not_found');
  if (install.status === 'disabled') throw functionErrors('function.install_disabled', { params: { app_key: appKey } });
  const { clientKey } = install;
  const running = await findRunning(db, { applicationId, organizationId, clientKey, appKey, environment });
  if (running.kind === 'not_approved') {
    const waitsFor = unapproved(running.newest.permissions, running.membership.approved).join(', ');
    throw functionErrors('function.not_approved', { params: { app_key: appKey, environment, permissions: waitsFor } });
  }
  if (running.kind !== 'runs') throw functionErrors(`function.${running.kind}`, { params: { app_key: appKey, environment } });
  return { clientKey, deployment: running.deployment };
}

/** Throws what `getRunning` throws, and `function.unknown`. */
export async function findCallable(
  db: Database,
  named: { applicationId: ApplicationId; organizationId: string; appKey: string; environment: string; functionKey: string },
): Promise<CallableFunction> {
  const { applicationId, organizationId, environment, functionKey } = named;
  const { clientKey, deployment } = await getRunning(db, named);
  if (!deployment.functions.includes(functionKey))
    throw functionErrors('function.unknown', {
      field: 'function',
      params: { environment, function: functionKey, known: deployment.functions.join(', ') },
    });
  return { applicationId, organizationId, clientKey, deployment, functionKey };
}

/**
 * Calls a function and waits for its end; however that is, it is a value. Nothing of the database is held while it runs. `onBegin` is in the
 * transaction that writes the call; `conclude` may add to what is written of its end. Throws `function.no_runner`; and `function.busy`, `function.suspended` where the call was not begun.
 */
export async function callFunction(
  { db, vault, clock, runner, functionLimits }: CallingParts,
  { applicationId, organizationId, clientKey, deployment, functionKey }: CallableFunction,
  {
    payload,
    now,
    onBegin,
    userId = null,
    job,
    conclude = (result) => result,
  }: {
    payload: unknown;
    now: Date;
    onBegin: (tx: TenantTx, invocationId: string) => Promise<void>;
    /** The end user it is called for: what it does with accounts, it does as that one. */
    userId?: string | null;
    /** The job that the call is an attempt at. */
    job?: { readonly depth: number; readonly context: JobContext };
    conclude?: (result: InvocationResult) => InvocationResult;
  },
): Promise<EndedCall> {
  const reason = await runner.refusal();
  if (reason !== null) throw functionErrors('function.no_runner', { params: { reason }, retryAfterSeconds: 30 });

  const { appKey, environment, manifest } = deployment;
  const limits = limitsOf(manifest, functionKey, functionLimits);
  const { invocationId, token, revision } = await db.withTenant(applicationId, async (tx) => {
    const begun = await insertInvocation(tx, {
      applicationId,
      clientKey,
      organizationId,
      deployment,
      functionKey,
      jobDepth: job?.depth ?? 0,
      now,
      tokenMs: tokenLifetimeMs(limits),
      userId,
    });
    await onBegin(tx, begun.invocationId);
    const membership = await findMembership(tx, clientKey, environment);
    return { ...begun, revision: membership?.variablesRevision ?? '' };
  });
  const ended = await runner.invoke({
    applicationId,
    clientKey,
    environment,
    version: `${deployment.version}-${deployment.codeSha256}`,
    revision: `${deployment.variablesRevision}.${revision}`,
    functionKey,
    isolation: manifest.isolation ?? 'installation',
    limits,
    payload: JSON.stringify(payload ?? null),
    context: JSON.stringify({
      applicationId,
      clientKey,
      appKey,
      environment,
      version: deployment.version,
      invocationId,
      function: functionKey,
      userId,
      ...(job === undefined ? {} : { job: job.context }),
    }),
    token,
  });
  const result = conclude(ended);
  await db.withTenant(applicationId, (tx) => endInvocation(tx, vault, { invocationId, result, now: new Date(clock.now()) }));
  refuseUnbegun(result);
  return { invocationId, deployment, result };
}

function refuseUnbegun({ outcome }: InvocationResult): void {
  if (outcome.kind !== 'denied' || (outcome.reason !== 'busy' && outcome.reason !== 'suspended')) return;
  throw functionErrors(`function.${outcome.reason}`, { retryAfterSeconds: outcome.retryAfterSeconds ?? 1 });
}
