import { sql, type Tx } from '@bulkhead/postgres';
import type { SealContent } from './audit-mac.ts';
import { type Ledger } from './ledger.ts';

/** The end of a log's chain. */
export interface Head {
  readonly seq: number;
  readonly digest: Buffer;
}

/** The entries of one log that a new seal closes over. */
export interface Unsealed {
  readonly owner: string;
  readonly entries: number;
  readonly first: string;
  readonly last: string;
  /** SHA-256 over their MACs, in order. */
  readonly macs: Buffer;
}

/** How far everything is sealed, or null where nothing has come since. Locks nothing. */
export async function sealedUntil(tx: Tx): Promise<number | null> {
  const row = await tx.maybe<{ sealed_until: number }>(sql`
    select sealed_until from audit_sealing
     where exists (select from audit_entries where position >= sealed_until)
        or exists (select from organization_audit_entries where position >= sealed_until)`);
  return row?.sealed_until ?? null;
}

/**
 * Takes the right to seal, until the transaction ends; null where another process has it. `final`: up to here every transaction has
 * ended, so that no entry can come any more.
 */
export async function takeSealing(tx: Tx): Promise<{ readonly from: number; readonly final: number } | null> {
  const row = await tx.maybe<{ sealed_until: number; final: number }>(sql`
    select sealed_until, pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift as final from audit_sealing for update skip locked`);
  return row === null ? null : { from: row.sealed_until, final: row.final };
}

export async function moveSealedUntil(tx: Tx, until: number): Promise<void> {
  await tx.execute(sql`update audit_sealing set sealed_until = ${until}`);
}

/** Where a round of at most about `limit` entries ends: never within a transaction. */
export async function endOfRound(tx: Tx, from: number, final: number, limit: number): Promise<number> {
  const part = (table: string) => sql`
    (select position from ${sql.identifier(table)} where position >= ${from} and position < ${final} order by position limit ${limit})`;
  const { highest } = await tx.one<{ highest: number | null }>(sql`
    select max(position) as highest from (
      select position from (${part('audit_entries')} union all ${part('organization_audit_entries')}) ends order by position limit ${limit}) round`);
  return highest === null ? from : highest + 1;
}

export async function unsealedEntries(tx: Tx, ledger: Ledger, from: number, until: number): Promise<Unsealed[]> {
  const owner = sql.identifier(ledger.owner);
  return tx.query<Unsealed>(sql`
    select ${owner} as owner, count(*) as entries, (array_agg(audit_id order by position, audit_id))[1] as first,
           (array_agg(audit_id order by position desc, audit_id desc))[1] as last,
           sha256(string_agg(coalesce(mac, ''), '' order by position, audit_id)) as macs
      from ${sql.identifier(ledger.entries)} where position >= ${from} and position < ${until} group by ${owner}`);
}

/** The last seal of each log, one look at the end of its index each: a log has a seal for every second in which something was written. */
export async function headsOf(tx: Tx, ledger: Ledger, owners: readonly string[]): Promise<Map<string, Head>> {
  const owner = sql.identifier(ledger.owner);
  const rows = await tx.query<Head & { owner: string }>(sql`
    select given.owner, head.seq, head.digest
      from unnest(${owners}::text[]) as given (owner)
     cross join lateral (
       select seq, digest from ${sql.identifier(ledger.seals)} where ${owner} = given.owner order by seq desc limit 1) head`);
  return new Map(rows.map(({ owner: id, seq, digest }) => [id, { seq, digest }]));
}

/** Writes seals of the logs whose owners are still there. */
export async function insertSeals(
  tx: Tx,
  ledger: Ledger,
  seals: readonly (Omit<SealContent, 'sealedAt'> & { readonly owner: string; readonly mac: Buffer })[],
  { keyId, sealedAt }: { readonly keyId: string; readonly sealedAt: Date },
): Promise<void> {
  const rows = seals.map((seal) => ({
    owner: seal.owner,
    seq: seal.seq,
    until: seal.until,
    entries: seal.entries,
    first: seal.firstAuditId,
    last: seal.lastAuditId,
    previous: seal.previous.toString('hex'),
    digest: seal.digest.toString('hex'),
    mac: seal.mac.toString('hex'),
  }));
  const owner = sql.identifier(ledger.owner);
  await tx.execute(sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as given (owner text, seq bigint, until bigint, entries bigint, first text, last text, previous text, digest text, mac text)),
    living as (
      select ${owner} as owner from ${sql.identifier(ledger.owners)} where ${owner} in (select owner from given) for key share)
    insert into ${sql.identifier(ledger.seals)} (${owner}, seq, until, entries, first_audit_id, last_audit_id, previous, digest, sealed_at, audit_key_id, mac)
    select owner, seq, until, entries, first, last, decode(previous, 'hex'), decode(digest, 'hex'), ${sealedAt}::timestamptz, ${keyId}::text, decode(mac, 'hex')
      from given join living using (owner)`);
}
