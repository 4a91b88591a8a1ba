import type { Database, Sql, Tx } from '@bulkhead/postgres';
import type { Actor, RequestContext } from '../access/index.ts';
import { auditTrailOf } from './audit-trail.ts';
import { entryInsertion, insertEntry } from './entry-store.ts';
import { APPLICATION_LEDGER, ORGANIZATION_LEDGER } from './ledger.ts';

export interface AuditTarget {
  /** Id of what was changed. */
  readonly target?: string;
  /** Facts worth keeping; never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Writes the entry of the route's declared action into the Application's log, in the transaction of the change. */
export async function audit(tx: Tx, context: RequestContext, entry: AuditTarget = {}): Promise<void> {
  await context.fence?.application(tx, context.applicationId);
  await appendAudit(tx, { applicationId: context.applicationId, ...entryOf(context), ...entry });
  context.markAudited();
}

/**
 * Makes a change of statements that need nothing of each other, and writes its entry: one transaction, in a single flight. Each
 * statement must say itself when it has nothing to change, by failing. Throws what the database throws; then nothing was written.
 */
export async function auditedFlight(db: Database, context: RequestContext, statements: readonly Sql[], entry: AuditTarget): Promise<void> {
  const { applicationId, fence } = context;
  if (fence !== null) {
    await db.withTenant(applicationId, async (tx) => {
      await audit(tx, context, entry);
      await Promise.all(statements.map((statement) => tx.execute(statement)));
    });
    return;
  }
  const insertion = entryInsertion(await auditTrailOf(db), APPLICATION_LEDGER, { ...entryOf(context), ...entry, owner: applicationId });
  await db.tenantQueries(applicationId, [...statements, insertion]);
  context.markAudited();
}

function entryOf(context: RequestContext): AuditEntry {
  return { actor: context.actor, action: context.auditAction ?? 'unnamed', at: context.now, requestId: context.requestId };
}

/** `audit` for changes that are an organization's own (its Meta tokens; an Application's birth and end). */
export async function auditOrganization(tx: Tx, context: RequestContext, organizationId: string, entry: AuditTarget = {}): Promise<void> {
  await context.fence?.organization(tx, organizationId);
  await appendOrganizationAudit(tx, { organizationId, ...entryOf(context), ...entry });
  context.markAudited();
}

export interface AuditEntry extends AuditTarget {
  readonly actor: Actor;
  readonly action: string;
  readonly at: Date;
  readonly requestId?: string;
}

/** For what happens outside a request: workers, the connect flow's end user. */
export async function appendAudit(tx: Tx, entry: AuditEntry & { readonly applicationId: string }): Promise<void> {
  await insertEntry(tx, APPLICATION_LEDGER, { ...entry, owner: entry.applicationId });
}

export async function appendOrganizationAudit(tx: Tx, entry: AuditEntry & { readonly organizationId: string }): Promise<void> {
  await insertEntry(tx, ORGANIZATION_LEDGER, { ...entry, owner: entry.organizationId });
}
