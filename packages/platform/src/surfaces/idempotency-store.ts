import { type Clock, constantTimeEqual, Secret } from '@bulkhead/base';
import type { Answer, IdempotencyClaim, IdempotencyStore } from '@bulkhead/http';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import type { Principal, RequestContext } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';

const KEPT_MS = 24 * 60 * 60 * 1000;
const RUNNING_MS = 60_000;

interface KeyRow {
  request_hash: Buffer;
  status: number | null;
  sealed_answer: Buffer | null;
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
 * organization's; sealed, because an answer may hold a key that is shown once. A key whose request died is free after a minute.
 */
export function idempotencyStore({ db, vault, clock }: { db: Database; vault: Vault; clock: Clock }): IdempotencyStore<RequestContext> {
  const scopeOf = (context: RequestContext): Scope | null => {
    const principal: Principal | null = context.principal;
    if (principal === null) return null;
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
  const place = (scope: Scope, key: string) => `${scope.table}|${scope.owner}|${scope.principal ?? ''}|${key}`;
  return {
    async claim(context, key, requestHash): Promise<IdempotencyClaim> {
      const scope = scopeOf(context);
      if (scope === null) return { kind: 'first' };
      const now = new Date(clock.now());
      const until = new Date(now.getTime() + RUNNING_MS);
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
          sql`select request_hash, status, sealed_answer from ${sql.identifier(scope.table)} where ${mine(scope, key)}`,
        );
        return row ?? 'freed meanwhile';
      });
      if (held === null) return { kind: 'first' };
      if (held === 'freed meanwhile') return { kind: 'running' };
      if (!constantTimeEqual(held.request_hash, requestHash)) return { kind: 'mismatch' };
      if (held.status === null || held.sealed_answer === null) return { kind: 'running' };
      const { body, headers } = JSON.parse(vault.openControl(place(scope, key), held.sealed_answer).reveal()) as Answer;
      return {
        kind: 'done',
        answer: { status: held.status, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) },
      };
    },
    async complete(context, key, answer) {
      const scope = scopeOf(context);
      if (scope === null) return;
      const sealed = vault.sealControl(place(scope, key), new Secret(JSON.stringify({ body: answer.body, headers: answer.headers })));
      const until = new Date(clock.now() + KEPT_MS);
      await scope.within((tx) =>
        tx.execute(
          sql`update ${sql.identifier(scope.table)} set status = ${answer.status}, sealed_answer = ${sealed}, expires_at = ${until} where ${mine(scope, key)}`,
        ),
      );
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

function mine(scope: Scope, key: string) {
  return scope.principal === null
    ? sql`organization_id = ${scope.owner} and idempotency_key = ${key}`
    : sql`application_id = ${scope.owner} and principal = ${scope.principal} and idempotency_key = ${key}`;
}

function principalName(principal: Exclude<Principal, { kind: 'meta_token' }>): string {
  switch (principal.kind) {
    case 'api_key':
      return `api_key:${principal.apiKeyId}`;
    case 'bearer':
      return `bearer:${principal.tokenHash.toString('hex')}`;
    case 'client':
      return `client:${principal.apiKeyId ?? 'public'}`;
  }
}
