import { defineId } from '@bulkhead/base';
import { type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { AuditEntry } from './audit-log.ts';
import { entryMac } from './audit-mac.ts';
import { type AuditTrail, auditTrailOf } from './audit-trail.ts';
import type { Ledger } from './ledger.ts';
import { microseconds } from './stored-entry.ts';

const auditId = defineId('aud');

/** An entry and whose log it goes into. */
export type OwnedEntry = AuditEntry & { readonly owner: string };

/** Adds an entry, with its MAC, in the caller's transaction. */
export async function insertEntry(tx: Tx, ledger: Ledger, entry: OwnedEntry): Promise<void> {
  const loaded = auditTrailOf(tx);
  await tx.execute(entryInsertion(loaded instanceof Promise ? await loaded : loaded, ledger, entry));
}

/** The statement that adds an entry, for the transaction of its change. */
export function entryInsertion(trail: AuditTrail, ledger: Ledger, entry: OwnedEntry): Sql {
  const row = rowOf(trail, ledger, entry);
  return sql`
    insert into ${sql.identifier(ledger.entries)} (${sql.identifier(ledger.owner)}, audit_id, at, actor, action, target, request_id, detail,
                                                   mac, audit_key_id, position)
    values (${row.owner}, ${row.audit_id}, ${entry.at}, ${row.actor}, ${row.action}, ${row.target}, ${row.request_id}, ${row.detail},
            ${row.mac}, ${trail.keyId}, pg_current_xact_id()::text::bigint + ${trail.shift})`;
}

/** Adds many at once, of any owners; for the system role. Those whose owner is gone are left out. */
export async function insertEntriesOfLiving(tx: Tx, ledger: Ledger, entries: readonly OwnedEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const trail = await auditTrailOf(tx);
  const rows = entries.map((entry) => {
    const row = rowOf(trail, ledger, entry);
    return { ...row, actor: entry.actor, detail: entry.detail ?? {}, at: entry.at.toISOString(), mac: row.mac.toString('hex') };
  });
  const owner = sql.identifier(ledger.owner);
  // The lock keeps an owner from being deleted under us, which would end the whole statement at the foreign key.
  await tx.execute(sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as given (owner text, audit_id text, at timestamptz, actor jsonb, action text, target text, request_id text, detail jsonb, mac text)),
    living as (
      select ${owner} as owner from ${sql.identifier(ledger.owners)} where ${owner} in (select owner from given) for key share)
    insert into ${sql.identifier(ledger.entries)} (${owner}, audit_id, at, actor, action, target, request_id, detail, mac, audit_key_id, position)
    select owner, audit_id, at, actor, action, target, request_id, detail, decode(mac, 'hex'), ${trail.keyId}::text,
           pg_current_xact_id()::text::bigint + ${trail.shift}::bigint
      from given join living using (owner)`);
}

function rowOf(trail: AuditTrail, ledger: Ledger, entry: OwnedEntry) {
  const log = { kind: ledger.kind, id: entry.owner };
  // As they will be read: without what JSON leaves out.
  const actor = JSON.stringify(entry.actor);
  const detail = JSON.stringify(entry.detail ?? {});
  const id: string = auditId.generate();
  const content = {
    auditId: id,
    at: microseconds(entry.at),
    actor: JSON.parse(actor) as unknown,
    action: entry.action,
    target: entry.target ?? null,
    requestId: entry.requestId ?? null,
    detail: JSON.parse(detail) as unknown,
  };
  return {
    owner: entry.owner,
    audit_id: id,
    actor,
    action: content.action,
    target: content.target,
    request_id: content.requestId,
    detail,
    mac: entryMac(trail.keyOf(log, trail.keyId)!, trail.keyId, log, content),
  };
}
