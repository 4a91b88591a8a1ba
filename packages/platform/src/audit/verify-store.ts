import type { Database } from '@bulkhead/postgres';
import { sql, type Tx } from '@bulkhead/postgres';
import type { EntryContent, SealContent } from './audit-mac.ts';
import { type AuditLogId, type Ledger, ledgerOf } from './ledger.ts';
import { readContent, type StoredContent, storedContent } from './stored-entry.ts';

export interface StoredEntry extends EntryContent {
  readonly position: number;
  readonly keyId: string | null;
  readonly mac: Buffer | null;
}

export interface StoredSeal extends SealContent {
  readonly keyId: string;
  readonly mac: Buffer;
}

const PAGE = 1_000;

const inLog = (log: AuditLogId) => sql`${sql.identifier(ledgerOf(log.kind).owner)} = ${log.id}`;

/** All entries of a log in the order of its chain, a page in memory at a time; `since` leaves out what is older. */
export async function* entriesInOrder(db: Database, log: AuditLogId, since?: Date): AsyncGenerator<StoredEntry> {
  let [position, auditId] = [-1, ''];
  for (;;) {
    const rows = await db.withSystem('read an audit log', (tx) =>
      tx.query<StoredContent & { position: number; audit_key_id: string | null; mac: Buffer | null }>(sql`
        select ${storedContent}, position, audit_key_id, mac from ${sql.identifier(ledgerOf(log.kind).entries)}
         where ${inLog(log)} and (position, audit_id) > (${position}, ${auditId}) and at >= ${since ?? new Date(0)}
         order by position, audit_id limit ${PAGE}`),
    );
    for (const row of rows) yield { ...readContent(row), position: row.position, keyId: row.audit_key_id, mac: row.mac };
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    [position, auditId] = [last.position, last.audit_id];
  }
}

/** The seals of a log that reach no further than `until`, in order. */
export async function* sealsInOrder(db: Database, log: AuditLogId, until: number): AsyncGenerator<StoredSeal> {
  let seq = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const rows = await db.withSystem('read the seals of an audit log', (tx) =>
      tx.query<StoredSeal>(sql`
        select seq, until, entries, first_audit_id as "firstAuditId", last_audit_id as "lastAuditId", previous, digest,
               (extract(epoch from sealed_at) * 1000000)::bigint::text as "sealedAt", audit_key_id as "keyId", mac
          from ${sql.identifier(ledgerOf(log.kind).seals)} where ${inLog(log)} and seq > ${seq} and until <= ${until} order by seq limit ${PAGE}`),
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    seq = last.seq;
  }
}

/** Up to which position every log is sealed. */
export async function readSealedUntil(db: Database): Promise<number> {
  return db.withSystem('read how far the audit logs are sealed', async (tx) => {
    const row = await tx.maybe<{ sealed_until: number }>(sql`select sealed_until from audit_sealing`);
    return row?.sealed_until ?? 0;
  });
}

/** Whose logs there are: an id each, in order, a page at a time. */
export async function* ownersOf(db: Database, ledger: Ledger): AsyncGenerator<string> {
  let after = '';
  for (;;) {
    const rows = await db.withSystem('list the audit logs', (tx) =>
      tx.query<{ owner: string }>(sql`
        select ${sql.identifier(ledger.owner)} as owner from ${sql.identifier(ledger.owners)}
         where ${sql.identifier(ledger.owner)} > ${after} order by 1 limit ${PAGE}`),
    );
    for (const { owner } of rows) yield owner;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.owner;
  }
}

export async function hasOwner(tx: Tx, log: AuditLogId): Promise<boolean> {
  const ledger = ledgerOf(log.kind);
  return (await tx.maybe(sql`select 1 from ${sql.identifier(ledger.owners)} where ${inLog(log)}`)) !== null;
}

/** Which organization wrote down that this Application was erased, and the last end of its chain; null where nobody did. */
export async function findErasure(tx: Tx, applicationId: string): Promise<{ organizationId: string; head: string | null } | null> {
  const row = await tx.maybe<{ organization_id: string; head: string | null }>(sql`
    select organization_id, detail ->> 'audit_head' as head from organization_audit_entries
     where action = 'application.erased' and target = ${applicationId} order by position desc, audit_id limit 1`);
  return row === null ? null : { organizationId: row.organization_id, head: row.head };
}
