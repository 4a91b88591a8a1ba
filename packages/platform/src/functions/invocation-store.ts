import { type ApplicationId, defineId, defineTenantCredential, Secret } from '@bulkhead/base';
import { sql, type TenantTx, type Tx } from '@bulkhead/postgres';
import type { AppScope } from '@bulkhead/protocol';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import type { Deployment } from './deployment-store.ts';
import type { InvocationResult, LogLine } from './function-runner.ts';

const invocationIds = defineId('inv');
/** By which the runner speaks for one call, while it runs. */
export const invocationTokens = defineTenantCredential('bhi');

export const invocationLogs = defineSealedColumn({ table: 'function_invocations', column: 'logs_sealed', key: ['invocation_id'] });

export interface Invocation {
  readonly invocationId: string;
  readonly token: string;
}

/** Writes a call that begins. Its token counts from the commit on. */
export async function insertInvocation(
  tx: Tx,
  fields: {
    applicationId: ApplicationId;
    clientKey: string;
    organizationId: string;
    deployment: Deployment;
    functionKey: string;
    /** Of the job that the call is an attempt at; 0: of none that was pushed by another. */
    jobDepth: number;
    now: Date;
    /** For which its token counts, if it does not end before. */
    tokenMs: number;
    /** The end user it is called for; null: none. */
    userId: string | null;
  },
): Promise<Invocation> {
  const { applicationId, deployment, now } = fields;
  const invocationId = invocationIds.generate();
  const { secret, hash } = invocationTokens.issue(applicationId);
  await tx.execute(sql`
    insert into function_invocations (application_id, invocation_id, client_key, environment, organization_id, version, function_key,
                                      token_hash, egress_hosts, scopes, user_id, job_depth, started_at, expires_at)
    values (${applicationId}, ${invocationId}, ${fields.clientKey}, ${deployment.environment}, ${fields.organizationId}, ${deployment.version},
            ${fields.functionKey}, ${hash}, ${deployment.egressHosts}, ${deployment.manifest.permissions?.scopes ?? []}, ${fields.userId}, ${fields.jobDepth}, ${now}, ${new Date(now.getTime() + fields.tokenMs)})`);
  return { invocationId, token: secret.reveal() };
}

/** Writes how a call ended. From the commit on its token opens nothing. */
export async function endInvocation(
  tx: TenantTx,
  vault: Vault,
  { invocationId, result, now }: { invocationId: string; result: InvocationResult; now: Date },
): Promise<void> {
  const { applicationId } = tx;
  const row = await tx.maybe<{ client_key: string; environment: string }>(sql`
    select client_key, environment from function_invocations where application_id = ${applicationId} and invocation_id = ${invocationId}`);
  if (row === null) return;
  // Until the commit no other call of this install gets a number, so that who reads in their order misses none.
  await tx.execute(sql`
    select 1 from app_installs where application_id = ${applicationId} and client_key = ${row.client_key} for no key update`);
  const sealed =
    result.logs.length === 0
      ? null
      : await vault.seal(tx, invocationLogs.place(applicationId, [invocationId]), new Secret(JSON.stringify(result.logs)));
  await tx.execute(sql`
    update function_invocations
       set ended_at = ${now}, outcome = ${result.outcome.kind}, duration_ms = ${result.durationMs}, logs_sealed = ${sealed},
           logs_dropped = ${result.logsDropped},
           ordinal = (select coalesce(max(ordinal), 0) + 1 from function_invocations
                       where application_id = ${applicationId} and client_key = ${row.client_key} and environment = ${row.environment})
     where application_id = ${applicationId} and invocation_id = ${invocationId} and ended_at is null`);
}

/** What a token speaks for. */
export interface LiveInvocation {
  readonly invocationId: string;
  readonly clientKey: string;
  readonly appKey: string;
  readonly environment: string;
  readonly organizationId: string;
  readonly version: number;
  readonly egressHosts: readonly string[];
  readonly scopes: readonly string[];
  readonly appScopes: readonly AppScope[];
  readonly userId: string | null;
  readonly jobDepth: number;
}

/** The call of a token: not ended, not over its time, of an install that is enabled in an Application that is on. */
export async function findLiveInvocation(tx: TenantTx, hash: Buffer, now: Date): Promise<LiveInvocation | null> {
  const row = await tx.maybe<{
    invocation_id: string;
    client_key: string;
    app_key: string;
    environment: string;
    organization_id: string;
    version: number;
    egress_hosts: string[];
    scopes: string[];
    app_scopes: AppScope[];
    user_id: string | null;
    job_depth: number;
  }>(sql`
    select v.invocation_id, v.client_key, i.app_key, v.environment, v.organization_id, v.version, v.egress_hosts, v.scopes, i.scopes as app_scopes, v.user_id, v.job_depth
      from function_invocations v
      join app_installs i on i.application_id = v.application_id and i.client_key = v.client_key
      join applications a on a.application_id = v.application_id
     where v.application_id = ${tx.applicationId} and v.token_hash = ${hash} and v.ended_at is null and v.expires_at > ${now}
       and i.status = 'enabled' and a.active and a.deleted_at is null`);
  return row === null
    ? null
    : {
        invocationId: row.invocation_id,
        clientKey: row.client_key,
        appKey: row.app_key,
        environment: row.environment,
        organizationId: row.organization_id,
        version: row.version,
        egressHosts: row.egress_hosts,
        scopes: row.scopes,
        appScopes: row.app_scopes,
        userId: row.user_id,
        jobDepth: row.job_depth,
      };
}

export interface EndedInvocation {
  readonly invocationId: string;
  readonly ordinal: number;
  readonly version: number;
  readonly functionKey: string;
  readonly startedAt: Date;
  readonly outcome: string;
  readonly durationMs: number;
  readonly logs: readonly LogLine[];
  readonly logsDropped: number;
}

/** Calls of an install that ended after the `after`th, in the order in which they did. */
export async function listEnded(
  tx: TenantTx,
  vault: Vault,
  { clientKey, environment, after, limit }: { clientKey: string; environment: string; after: number; limit: number },
): Promise<EndedInvocation[]> {
  const rows = await tx.query<{
    invocation_id: string;
    ordinal: number;
    version: number;
    function_key: string;
    started_at: Date;
    outcome: string;
    duration_ms: number;
    logs_sealed: Buffer | null;
    logs_dropped: number;
  }>(sql`
    select invocation_id, ordinal, version, function_key, started_at, outcome, duration_ms, logs_sealed, logs_dropped
      from function_invocations
     where application_id = ${tx.applicationId} and client_key = ${clientKey} and environment = ${environment} and ordinal > ${after}
     order by ordinal limit ${limit}`);
  const ended: EndedInvocation[] = [];
  for (const row of rows) {
    const place = invocationLogs.place(tx.applicationId, [row.invocation_id]);
    ended.push({
      invocationId: row.invocation_id,
      ordinal: Number(row.ordinal),
      version: row.version,
      functionKey: row.function_key,
      startedAt: row.started_at,
      outcome: row.outcome,
      durationMs: row.duration_ms,
      logs: row.logs_sealed === null ? [] : (JSON.parse((await vault.open(tx, place, row.logs_sealed)).reveal()) as LogLine[]),
      logsDropped: row.logs_dropped,
    });
  }
  return ended;
}

/** Deletes calls that began before a moment, but the newest of each install, from which the next takes its number; at most `limit`. For the system role. */
export async function deleteInvocations(tx: Tx, { before, limit }: { before: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from function_invocations where ctid = any(array(
      select v.ctid from function_invocations v
       where v.started_at < ${before}
         and (v.ordinal is null or exists (
           select from function_invocations later
            where later.application_id = v.application_id and later.client_key = v.client_key
              and later.environment = v.environment and later.ordinal > v.ordinal))
       limit ${limit} for update of v skip locked))`);
}
