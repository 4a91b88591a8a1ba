import { type Clock, randomBase62 } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import type { ChangeFence, Principal, RequestContext } from '../access/index.ts';

const KEPT_MS = 24 * 60 * 60 * 1000;

/**
 * Marks of changes that were made under an Idempotency-Key, each written in the transaction of its change. A process that dies
 * between the change and the keeping of its answer leaves the mark, and the change is not made again. With the answer kept, the mark
 * goes. A space keeps the names of marks apart from whatever a request can send.
 */
export function changeMarks(db: Database, clock: Clock) {
  const until = () => new Date(clock.now() + KEPT_MS);
  return {
    /** The hash of the request whose change is marked, or null. */
    async find(context: RequestContext, key: string): Promise<Buffer | null> {
      const { principal, subject } = context;
      if (principal === null) return null;
      const now = new Date(clock.now());
      const live = (rows: readonly { request_hash: Buffer }[]) => rows[0]?.request_hash ?? null;
      const ofOrganization =
        principal.kind === 'meta_token'
          ? live(
              await db.withOrganization(principal.organizationId, (tx) =>
                tx.query<{ request_hash: Buffer }>(sql`
                  select request_hash from organization_idempotency_keys
                   where organization_id = ${principal.organizationId} and idempotency_key = ${`changed ${key}`} and expires_at > ${now}`),
              ),
            )
          : null;
      if (ofOrganization !== null || subject === null) return ofOrganization;
      return live(
        await db.tenantQuery<{ request_hash: Buffer }>(
          subject,
          sql`select request_hash from idempotency_keys
               where application_id = ${subject} and principal = ${markedPrincipal(principal)} and idempotency_key = ${key} and expires_at > ${now}`,
        ),
      );
    },

    /** What a request that has claimed the key passes each of its changes by. */
    fence(context: RequestContext, key: string, requestHash: Buffer): ChangeFence {
      const claimId = randomBase62(22);
      const principal = context.principal!;
      const now = new Date(clock.now());
      return {
        async application(tx, applicationId) {
          const marked = await tx.execute(sql`
            insert into idempotency_keys (application_id, principal, idempotency_key, request_hash, claim_id, expires_at)
            values (${applicationId}, ${markedPrincipal(principal)}, ${key}, ${requestHash}, ${claimId}, ${until()})
            on conflict (application_id, principal, idempotency_key) do update
               set claim_id = excluded.claim_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
             where idempotency_keys.claim_id = excluded.claim_id or idempotency_keys.expires_at <= ${now}`);
          if (marked !== 1) throw httpErrors('idempotency.answer_lost');
        },
        async organization(tx, organizationId) {
          const marked = await tx.execute(sql`
            insert into organization_idempotency_keys (organization_id, idempotency_key, request_hash, claim_id, expires_at)
            values (${organizationId}, ${`changed ${key}`}, ${requestHash}, ${claimId}, ${until()})
            on conflict (organization_id, idempotency_key) do update
               set claim_id = excluded.claim_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
             where organization_idempotency_keys.claim_id = excluded.claim_id or organization_idempotency_keys.expires_at <= ${now}`);
          if (marked !== 1) throw httpErrors('idempotency.answer_lost');
        },
      };
    },

    /** In the transaction that keeps the answer, which sees the tables of its caller. */
    async remove(tx: Tx, context: RequestContext, key: string): Promise<void> {
      const { principal, subject } = context;
      if (principal === null) return;
      if (principal.kind === 'meta_token')
        await tx.execute(sql`
          delete from organization_idempotency_keys
           where organization_id = ${principal.organizationId} and idempotency_key = ${`changed ${key}`}`);
      if (subject !== null)
        await tx.execute(sql`
          delete from idempotency_keys
           where application_id = ${subject} and principal = ${markedPrincipal(principal)} and idempotency_key = ${key}`);
    },
  };
}

function markedPrincipal(principal: Principal): string {
  return `changed ${principal.kind === 'meta_token' ? `meta_token:${principal.organizationId}` : principalName(principal)}`;
}

/** Whose keys they are: two credentials of one tenant do not see each other's answers. */
export function principalName(principal: Exclude<Principal, { kind: 'meta_token' }>): string {
  switch (principal.kind) {
    case 'api_key':
      return `api_key:${principal.apiKeyId}`;
    case 'bearer':
      return `bearer:${principal.tokenHash.toString('hex')}`;
    case 'client':
      return `client:${principal.apiKeyId ?? 'public'}`;
    case 'invocation':
      return `invocation:${principal.invocationId}`;
    case 'install':
      return `install:${principal.clientKey}${principal.userId === null ? '' : `:${principal.userId}`}`;
  }
}
