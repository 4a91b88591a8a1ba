import { type ApplicationId, type Clock, constantTimeEqual, Secret } from '@bulkhead/base';
import { type Answer, httpErrors, type IdempotencyClaim, type IdempotencyStore } from '@bulkhead/http';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import type { Principal, RequestContext } from '../access/index.ts';
import { changeMarks, principalName } from './change-marks.ts';
import { controlHeader, defineSealedColumn, hasDataKey, type Vault } from '../vault/index.ts';

const KEPT_MS = 24 * 60 * 60 * 1000;
const RUNNING_MS = 60_000;

/** Answers to a tenant's own requests, and to Meta requests about one Application: under its data key, so that they end with it. */
export const tenantAnswers = defineSealedColumn({
  table: 'idempotency_keys',
  column: 'sealed_answer',
  key: ['principal', 'idempotency_key'],
});
export const organizationAnswers = defineSealedColumn({
  table: 'organization_idempotency_keys',
  column: 'sealed_answer',
  key: ['organization_id', 'idempotency_key'],
  tenant: 'sealed_for',
});

interface KeyRow {
  request_hash: Buffer;
  status: number | null;
  sealed_answer: Buffer | null;
  sealed_for: ApplicationId | null;
}

interface Scope {
  readonly within: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** The row of the key, by the columns of its table. */
  readonly table: 'idempotency_keys' | 'organization_idempotency_keys';
  readonly owner: string;
  readonly principal: string | null;
}

/**
 * Answers to `Idempotency-Key` requests, kept 24 h. Tenant requests keep them in the tenant's table, Meta requests in their
 * organization's; sealed, because an answer may hold a key that is shown once. A key whose request died before its change is free after
 * a minute; where the change was made, its mark keeps the key taken.
 */
export function idempotencyStore({ db, vault, clock }: { db: Database; vault: Vault; clock: Clock }): IdempotencyStore<RequestContext> {
  const scopeOf = (context: RequestContext): Scope | null => {
    const principal: Principal | null = context.principal;
    if (principal === null) return null;
    // Whoever knows the client_id is this client: a key of one would be everybody's.
    if (principal.kind === 'client' && principal.apiKeyId === null) return null;
    if (principal.kind === 'meta_token')
      return {
        within: (work) => db.withOrganization(principal.organizationId, work),
        table: 'organization_idempotency_keys',
        owner: principal.organizationId,
        principal: null,
      };
    return {
      within: (work) => db.withTenant(principal.applicationId, work),
      table: 'idempotency_keys',
      owner: principal.applicationId,
      principal: principalName(principal),
    };
  };
  const opened = async (scope: Scope, key: string, row: KeyRow, sealed: Buffer): Promise<Secret> => {
    const { owner, principal } = scope;
    if (principal !== null)
      return scope.within((tx) => vault.open(tx, tenantAnswers.place(owner as ApplicationId, [principal, key]), sealed));
    const about = row.sealed_for;
    if (about === null) return vault.openControl(controlPlace(scope, key), sealed);
    return db.withSystem('repeat an answer that is about an Application', async (tx) => {
      // Its Application is erased, and the answer with it.
      if (!(await hasDataKey(tx, about))) throw httpErrors('not_found');
      return vault.open(tx, organizationAnswers.place(about, [owner, key]), sealed);
    });
  };
  const marks = changeMarks(db, clock);
  return {
    async claim(context, key, requestHash): Promise<IdempotencyClaim> {
      const scope = scopeOf(context);
      if (scope === null) return { kind: 'first' };
      const now = new Date(clock.now());
      const until = new Date(now.getTime() + RUNNING_MS);
      const marked = await marks.find(context, key);
      if (marked !== null && !constantTimeEqual(marked, requestHash)) return { kind: 'mismatch' };
      if (marked !== null) {
        // Between the change and the keeping of its answer the request still runs; only when its time is over is the answer lost.
        const row = await scope.within((tx) =>
          tx.maybe<{ status: number | null }>(
            sql`select status from ${sql.identifier(scope.table)} where ${mine(scope, key)} and expires_at > ${now}`,
          ),
        );
        if (row === null) return { kind: 'answer lost' };
        if (row.status === null) return { kind: 'running' };
      }
      const held = await scope.within(async (tx) => {
        await tx.execute(sql`delete from ${sql.identifier(scope.table)} where ${mine(scope, key)} and expires_at <= ${now}`);
        const first = await tx.execute(
          scope.principal === null
            ? sql`insert into organization_idempotency_keys (organization_id, idempotency_key, request_hash, expires_at)
                  values (${scope.owner}, ${key}, ${requestHash}, ${until}) on conflict do nothing`
            : sql`insert into idempotency_keys (application_id, principal, idempotency_key, request_hash, expires_at)
                  values (${scope.owner}, ${scope.principal}, ${key}, ${requestHash}, ${until}) on conflict do nothing`,
        );
        if (first === 1) return null;
        const row = await tx.maybe<KeyRow>(
          scope.principal === null
            ? sql`select request_hash, status, sealed_answer, sealed_for from organization_idempotency_keys where ${mine(scope, key)}`
            : sql`select request_hash, status, sealed_answer, null as sealed_for from idempotency_keys where ${mine(scope, key)}`,
        );
        return row ?? 'freed meanwhile';
      });
      if (held === null) {
        context.fence = marks.fence(context, key, requestHash);
        return { kind: 'first' };
      }
      if (held === 'freed meanwhile') return { kind: 'running' };
      if (!constantTimeEqual(held.request_hash, requestHash)) return { kind: 'mismatch' };
      if (held.status === null || held.sealed_answer === null) return { kind: 'running' };
      const { body, headers } = JSON.parse((await opened(scope, key, held, held.sealed_answer)).reveal()) as Answer;
      return {
        kind: 'done',
        answer: { status: held.status, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) },
      };
    },
    async complete(context, key, answer) {
      const scope = scopeOf(context);
      if (scope === null) return;
      const secret = new Secret(JSON.stringify({ body: answer.body, headers: answer.headers }));
      const until = new Date(clock.now() + KEPT_MS);
      const kept = sql`status = ${answer.status}, expires_at = ${until}`;
      if (scope.principal !== null) {
        const place = tenantAnswers.place(scope.owner as ApplicationId, [scope.principal, key]);
        await scope.within(async (tx) => {
          const sealed = await vault.seal(tx, place, secret);
          await tx.execute(sql`update idempotency_keys set ${kept}, sealed_answer = ${sealed} where ${mine(scope, key)}`);
          await marks.remove(tx, context, key);
        });
        return;
      }
      const about = context.subject;
      const keep = (tx: Tx, sealed: Buffer) =>
        tx.execute(sql`
          update organization_idempotency_keys set ${kept}, sealed_answer = ${sealed}, sealed_for = ${about} where ${mine(scope, key)}`);
      if (about === null)
        await scope.within(async (tx) => {
          await keep(tx, await vault.sealControl(tx, controlPlace(scope, key), secret));
          await marks.remove(tx, context, key);
        });
      else
        await db.withSystem('keep an answer that is about an Application', async (tx) => {
          await keep(tx, await vault.seal(tx, organizationAnswers.place(about, [scope.owner, key]), secret));
          await marks.remove(tx, context, key);
        });
    },
    async release(context, key) {
      const scope = scopeOf(context);
      if (scope === null) return;
      await scope.within((tx) => tx.execute(sql`delete from ${sql.identifier(scope.table)} where ${mine(scope, key)} and status is null`));
    },
  };
}

/** Deletes answers that are past their 24 hours: they may hold a key that was shown once. For everybody, so as the system role. */
export async function forgetPastAnswers(db: Database, now: Date): Promise<void> {
  await db.withSystem('forget past answers to Idempotency-Keys', async (tx) => {
    await tx.execute(sql`delete from idempotency_keys where expires_at <= ${now}`);
    await tx.execute(sql`delete from organization_idempotency_keys where expires_at <= ${now}`);
  });
}

/**
 * Seals answers that belong to no Application anew, where another root key than the claimed one sealed them; at most `limit`. Answers
 * how many it looked at. For the system role, while the root key rotates.
 */
export async function resealControlAnswers(tx: Tx, vault: Vault, rootKeyId: string, limit: number): Promise<number> {
  const rows = await tx.query<{ organization_id: string; idempotency_key: string; sealed_answer: Buffer }>(sql`
    select organization_id, idempotency_key, sealed_answer from organization_idempotency_keys
     where sealed_for is null and sealed_answer is not null and substring(sealed_answer from 1 for 8) <> ${controlHeader(rootKeyId)}
     order by organization_id, idempotency_key limit ${limit}`);
  for (const row of rows) {
    const boundTo = controlPlace({ owner: row.organization_id }, row.idempotency_key);
    const opened = await vault.openControl(boundTo, row.sealed_answer).catch(() => null);
    // What no key opens is forgotten, and its key stays taken until it ends: nobody could have been given the answer.
    const sealed = opened === null ? null : await vault.sealControl(tx, boundTo, opened);
    await tx.execute(sql`
      update organization_idempotency_keys set sealed_answer = ${sealed}
       where organization_id = ${row.organization_id} and idempotency_key = ${row.idempotency_key} and sealed_answer = ${row.sealed_answer}`);
  }
  return rows.length;
}

/** What the answer of a Meta request about no Application is bound to. */
function controlPlace(scope: Pick<Scope, 'owner'>, key: string): string {
  return `organization_idempotency_keys|${scope.owner}|${key}`;
}

function mine(scope: Scope, key: string) {
  return scope.principal === null
    ? sql`organization_id = ${scope.owner} and idempotency_key = ${key}`
    : sql`application_id = ${scope.owner} and principal = ${scope.principal} and idempotency_key = ${key}`;
}
