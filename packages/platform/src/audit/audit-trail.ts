import { randomBase62, type Random, Secret, systemRandom } from '@bulkhead/base';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { auditErrors } from './audit-errors.ts';
import { entryMac, logKeys } from './audit-mac.ts';
import { APPLICATION_LEDGER, type AuditLogId, type Ledger, ORGANIZATION_LEDGER } from './ledger.ts';
import { readContent, type StoredContent, storedContent } from './stored-entry.ts';

/** What seals the audit keys at rest: the vault, which knows the root key. `boundTo` names the place. */
interface KeySealing {
  readonly sealControl: (tx: Tx, boundTo: string, secret: Secret) => Promise<Buffer>;
  readonly openControl: (boundTo: string, sealed: Uint8Array) => Promise<Secret>;
}

/** What a process needs to add to the logs of a database, and to check them. */
export interface AuditTrail {
  /** Id of the key that new entries and seals are made with. */
  readonly keyId: string;
  /** The key of `keyId` for this log, or null where there is no such audit key. */
  readonly keyOf: (log: AuditLogId, keyId: string) => Buffer | null;
  /** What is added to a transaction's number to make a position. */
  readonly shift: number;
}

interface KeyRow {
  readonly audit_key_id: string;
  readonly sealed_key: Buffer;
}

const trails = new WeakMap<object, () => Promise<AuditTrail>>();
const ready = new WeakMap<object, AuditTrail>();

/**
 * Says how the audit keys of this database are opened; at the first entry they are, and made where there are none. Whoever has not
 * said it cannot write an entry, and with it no change. Per database and not a parameter of each change: a place that could forget
 * to pass it on would be a place that could leave it out.
 */
export function provideAuditTrail(db: Pick<Database, 'origin'>, load: () => AuditTrail | Promise<AuditTrail>): void {
  let loading: Promise<AuditTrail> | undefined;
  ready.delete(db.origin);
  trails.set(db.origin, () => {
    loading ??= Promise.resolve(load()).then(
      (trail) => {
        ready.set(db.origin, trail);
        return trail;
      },
      (error: unknown) => {
        loading = undefined;
        throw error;
      },
    );
    return loading;
  });
}

/** The trail of the database that `from` belongs to. At once where it has been loaded: a transaction keeps its pipeline. */
export function auditTrailOf(from: Pick<Tx | Database, 'origin'>): AuditTrail | Promise<AuditTrail> {
  const loaded = ready.get(from.origin);
  if (loaded !== undefined) return loaded;
  const load = trails.get(from.origin);
  if (load === undefined) throw auditErrors('audit.no_key', { detail: 'No audit key was provided for this database.' });
  return load();
}

/** Opens the audit keys of a database, makes the first one, and sees to it that positions go on from the highest there is. */
export async function openAuditTrail(db: Database, sealing: KeySealing, now: Date, random: Random = systemRandom): Promise<AuditTrail> {
  return db.withSystem('open the audit trail', async (tx) => {
    const shift = await goOnFromHighest(tx);
    let rows = await tx.query<KeyRow>(sql`select audit_key_id, sealed_key from audit_keys order by created_at, audit_key_id`);
    const isFirst = rows.length === 0;
    if (isFirst) rows = [await makeKey(tx, sealing, now, random)];
    const keys = new Map<string, (log: AuditLogId) => Buffer>();
    for (const row of rows) {
      const opened = await sealing.openControl(placeOf(row.audit_key_id), row.sealed_key);
      keys.set(row.audit_key_id, logKeys(Buffer.from(opened.reveal(), 'base64')));
    }
    const trail: AuditTrail = {
      keyId: rows.at(-1)!.audit_key_id,
      keyOf: (log, keyId) => keys.get(keyId)?.(log) ?? null,
      shift,
    };
    if (isFirst) for (const ledger of [APPLICATION_LEDGER, ORGANIZATION_LEDGER]) await protectEarlierEntries(tx, trail, ledger);
    return trail;
  });
}

/**
 * Transactions of a database that was restored from a dump elsewhere count from the start again; the shift makes up for it, so that
 * new entries come after those that are there. The lock lets one process at a time do this, and make the first key.
 */
async function goOnFromHighest(tx: Tx): Promise<number> {
  const { shift, sealed_until, here } = await tx.one<{ shift: number; sealed_until: number; here: number }>(sql`
    select shift, sealed_until, pg_current_xact_id()::text::bigint as here from audit_sealing for update`);
  const { highest } = await tx.one<{ highest: number }>(sql`
    select greatest(coalesce((select max(position) from audit_entries), 0),
                    coalesce((select max(position) from organization_audit_entries), 0)) as highest`);
  const next = Math.max(sealed_until, highest + 1);
  if (here + shift >= next) return shift;
  await tx.execute(sql`update audit_sealing set shift = ${next - here}`);
  return next - here;
}

function placeOf(keyId: string): string {
  return `audit_keys|${keyId}`;
}

async function makeKey(tx: Tx, sealing: KeySealing, now: Date, random: Random): Promise<KeyRow> {
  const id = `auk${randomBase62(22, random)}`;
  const sealed = await sealing.sealControl(tx, placeOf(id), new Secret(Buffer.from(random(32)).toString('base64')));
  await tx.execute(sql`insert into audit_keys (audit_key_id, sealed_key, created_at) values (${id}, ${sealed}, ${now})`);
  return { audit_key_id: id, sealed_key: sealed };
}

/**
 * Seals the audit keys anew that are not sealed under the root key whose values begin with `header`. For the system role, while the
 * root key rotates.
 */
export async function resealAuditKeys(tx: Tx, sealing: KeySealing, header: Buffer): Promise<number> {
  const rows = await tx.query<KeyRow>(sql`
    select audit_key_id, sealed_key from audit_keys where substring(sealed_key from 1 for ${header.byteLength}::int) <> ${header}`);
  for (const row of rows) {
    const place = placeOf(row.audit_key_id);
    const sealed = await sealing.sealControl(tx, place, await sealing.openControl(place, row.sealed_key));
    await tx.execute(sql`
      update audit_keys set sealed_key = ${sealed} where audit_key_id = ${row.audit_key_id} and sealed_key = ${row.sealed_key}`);
  }
  return rows.length;
}

/** Entries from before there was a key, once: as they stand at that moment. */
async function protectEarlierEntries(tx: Tx, trail: AuditTrail, ledger: Ledger): Promise<void> {
  const [entries, owner] = [sql.identifier(ledger.entries), sql.identifier(ledger.owner)];
  for (;;) {
    const rows = await tx.query<StoredContent & { owner: string }>(
      sql`select ${owner} as owner, ${storedContent} from ${entries} where mac is null limit 1000`,
    );
    if (rows.length === 0) return;
    const macs = rows.map((row) => {
      const log = { kind: ledger.kind, id: row.owner };
      return entryMac(trail.keyOf(log, trail.keyId)!, trail.keyId, log, readContent(row)).toString('hex');
    });
    await tx.execute(sql`
      update ${entries} e set mac = decode(given.mac, 'hex'), audit_key_id = ${trail.keyId}
        from unnest(${rows.map((row) => row.owner)}::text[], ${rows.map((row) => row.audit_id)}::text[], ${macs}::text[]) given (owner, id, mac)
       where e.${owner} = given.owner and e.audit_id = given.id`);
  }
}
