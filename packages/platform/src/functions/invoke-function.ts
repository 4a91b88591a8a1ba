import type { Clock } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { findInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { type Deployment, findDeployment } from './deployment-store.ts';
import { functionErrors } from './function-errors.ts';
import type { FunctionRunner, InvocationResult } from './function-runner.ts';
import { endInvocation, insertInvocation } from './invocation-store.ts';

export interface InvokingParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly runner: FunctionRunner;
}

export interface InvokedFunction {
  readonly invocationId: string;
  readonly deployment: Deployment;
  readonly result: InvocationResult;
}

/**
 * Calls a function for one install of its App, and waits for its end; however that is, it is a value. Nothing of the database is held while it
 * runs. Throws `not_found`, `function.install_disabled`, `function.not_deployed`, `function.unknown`, `function.no_runner`; and
 * `function.busy`, `function.suspended` where the call was not begun.
 */
export async function invokeFunction(
  { db, vault, clock, runner }: InvokingParts,
  context: RequestContext<MetaTokenPrincipal>,
  { appKey, environment, functionKey, payload }: { appKey: string; environment: string; functionKey: string; payload: unknown },
): Promise<InvokedFunction> {
  const { applicationId, now } = context;
  const { organizationId } = context.principal;
  const install = await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, appKey));
  if (install === null) throw httpErrors('not_found');
  if (install.status === 'disabled') throw functionErrors('function.install_disabled', { params: { app_key: appKey } });
  const deployment = await db.withOrganization(organizationId, (tx) => findDeployment(tx, { organizationId, appKey, environment }));
  if (deployment === null) throw functionErrors('function.not_deployed', { params: { app_key: appKey, environment } });
  if (!deployment.functions.includes(functionKey))
    throw functionErrors('function.unknown', {
      field: 'function',
      params: { environment, function: functionKey, known: deployment.functions.join(', ') },
    });
  const reason = await runner.refusal();
  if (reason !== null) throw functionErrors('function.no_runner', { params: { reason }, retryAfterSeconds: 30 });

  const { clientKey } = install;
  const { invocationId, token } = await db.withTenant(applicationId, async (tx) => {
    const begun = await insertInvocation(tx, { applicationId, clientKey, organizationId, deployment, functionKey, now });
    await audit(tx, context, { target: begun.invocationId, detail: { client_key: clientKey, environment, function: functionKey } });
    return begun;
  });
  const result = await runner.invoke({
    applicationId,
    clientKey,
    environment,
    version: `${deployment.version}-${deployment.codeSha256}`,
    functionKey,
    payload: JSON.stringify(payload ?? null),
    context: JSON.stringify({
      applicationId,
      clientKey,
      appKey,
      environment,
      version: deployment.version,
      invocationId,
      function: functionKey,
    }),
    token,
  });
  await db.withTenant(applicationId, (tx) => endInvocation(tx, vault, { invocationId, result, now: new Date(clock.now()) }));
  refuseUnbegun(result);
  return { invocationId, deployment, result };
}

function refuseUnbegun({ outcome }: InvocationResult): void {
  if (outcome.kind !== 'denied' || (outcome.reason !== 'busy' && outcome.reason !== 'suspended')) return;
  throw functionErrors(`function.${outcome.reason}`, { retryAfterSeconds: outcome.retryAfterSeconds ?? 1 });
}
