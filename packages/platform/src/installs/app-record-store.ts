import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import type { InstallTx } from './install-scope.ts';

export const RECORDS_MAX = 100_000;
export const RECORDS_BYTES_MAX = 100 * 1024 * 1024;
export const COLLECTIONS_MAX = 100;

export const appRecordValues = defineSealedColumn({
  table: 'app_records',
  column: 'value_sealed',
  key: ['client_key', 'collection', 'record_key'],
});

export interface AppRecord {
  readonly recordKey: string;
  readonly version: number;
  /** JSON text as it was put. */
  readonly json: string;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface RecordName {
  readonly collection: string;
  readonly recordKey: string;
}

/** What has to be there for a change to be made: this version, any, none, or it does not matter (null). */
export type RecordCondition = { readonly version: number } | 'present' | 'absent' | null;

export interface RecordUsage {
  readonly records: number;
  readonly bytes: number;
}

interface RecordRow {
  record_key: string;
  version: number;
  value_bytes: number;
  value_sealed: Buffer;
  created_at: Date;
  modified_at: Date;
}

const columns = sql.raw('record_key, version, value_bytes, value_sealed, created_at, modified_at');

async function opened(tx: InstallTx, vault: Vault, collection: string, row: RecordRow): Promise<AppRecord> {
  const place = appRecordValues.place(tx.applicationId, [tx.clientKey, collection, row.record_key]);
  return {
    recordKey: row.record_key,
    version: row.version,
    json: (await vault.open(tx, place, row.value_sealed)).reveal(),
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

export async function findRecord(tx: InstallTx, vault: Vault, { collection, recordKey }: RecordName): Promise<AppRecord | null> {
  const row = await tx.maybe<RecordRow>(sql`
    select ${columns} from app_records
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and collection = ${collection} and record_key = ${recordKey}`);
  return row === null ? null : opened(tx, vault, collection, row);
}

/**
 * Records of a collection in the order of their keys, those that begin with `prefix` and come after `after`: at most `limit`, and one more than
 * `bytesMax` holds. `more`: others follow.
 */
export async function listRecords(
  tx: InstallTx,
  vault: Vault,
  {
    collection,
    prefix,
    after,
    limit,
    bytesMax,
  }: { collection: string; prefix: string; after: string | null; limit: number; bytesMax: number },
): Promise<{ records: AppRecord[]; more: boolean }> {
  const which = sql`application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and collection = ${collection}`;
  const next = await tx.query<Pick<RecordRow, 'record_key' | 'value_bytes'>>(sql`
    select record_key, value_bytes from app_records
     where ${which} and record_key >= ${prefix} and (${after}::text is null or record_key > ${after}::text)
     order by record_key limit ${limit + 1}`);
  // What begins alike lies together.
  const alike = next.filter((row) => row.record_key.startsWith(prefix));
  const keys: string[] = [];
  let bytes = 0;
  for (const row of alike.slice(0, limit)) {
    if (keys.length > 0 && bytes + row.value_bytes > bytesMax) break;
    keys.push(row.record_key);
    bytes += row.value_bytes;
  }
  if (keys.length === 0) return { records: [], more: false };
  const rows = await tx.query<RecordRow>(
    sql`select ${columns} from app_records where ${which} and record_key = any(${keys}) order by record_key`,
  );
  const records: AppRecord[] = [];
  for (const row of rows) records.push(await opened(tx, vault, collection, row));
  return { records, more: alike.length > keys.length };
}

/** Names of the collections that hold a record, by stepping from one to the next through the index. */
export async function listCollections(tx: InstallTx): Promise<string[]> {
  const which = sql`application_id = ${tx.applicationId} and client_key = ${tx.clientKey}`;
  const rows = await tx.query<{ collection: string }>(sql`
    with recursive step as (
      (select collection from app_records where ${which} order by collection limit 1)
      union all
      select (select r.collection from app_records r where r.application_id = ${tx.applicationId} and r.client_key = ${tx.clientKey}
                 and r.collection > step.collection order by r.collection limit 1)
        from step where step.collection is not null)
    select collection from step where collection is not null limit ${COLLECTIONS_MAX}`);
  return rows.map((row) => row.collection);
}

export async function recordUsage(tx: InstallTx): Promise<RecordUsage> {
  const row = await tx.maybe<RecordUsage>(sql`
    select records, bytes from app_record_usage where application_id = ${tx.applicationId} and client_key = ${tx.clientKey}`);
  return row ?? { records: 0, bytes: 0 };
}

export type PutOutcome =
  | { readonly kind: 'created' | 'updated'; readonly version: number }
  | { readonly kind: 'differs' | 'too_many' | 'too_large' | 'too_many_collections' };

/** Puts a JSON text, if the condition holds and the install has room for it. One writer of an install at a time. */
export async function putRecord(
  tx: InstallTx,
  vault: Vault,
  { collection, recordKey, json, condition, now }: RecordName & { json: string; condition: RecordCondition; now: Date },
): Promise<PutOutcome> {
  const { applicationId, clientKey } = tx;
  const usage = await lockUsage(tx);
  const before = await findVersion(tx, { collection, recordKey });
  if (!holds(condition, before)) return { kind: 'differs' };
  const bytes = Buffer.byteLength(json, 'utf8');
  const grows = bytes - (before?.value_bytes ?? 0);
  if (before === null && usage.records >= RECORDS_MAX) return { kind: 'too_many' };
  if (grows > 0 && usage.bytes + grows > RECORDS_BYTES_MAX) return { kind: 'too_large' };
  if (before === null && !(await hasRoomFor(tx, collection))) return { kind: 'too_many_collections' };
  const sealed = await vault.seal(tx, appRecordValues.place(applicationId, [clientKey, collection, recordKey]), new Secret(json));
  const version = usage.last_version + 1;
  await tx.execute(sql`
    insert into app_records (application_id, client_key, collection, record_key, version, value_bytes, value_sealed, created_at, modified_at)
    values (${applicationId}, ${clientKey}, ${collection}, ${recordKey}, ${version}, ${bytes}, ${sealed}, ${now}, ${now})
    on conflict (application_id, client_key, collection, record_key) do update
       set version = excluded.version, value_bytes = excluded.value_bytes, value_sealed = excluded.value_sealed, modified_at = excluded.modified_at`);
  await tx.execute(sql`
    update app_record_usage set records = records + ${before === null ? 1 : 0}, bytes = bytes + ${grows}, last_version = ${version}
     where application_id = ${applicationId} and client_key = ${clientKey}`);
  return { kind: before === null ? 'created' : 'updated', version };
}

export async function deleteRecord(
  tx: InstallTx,
  { collection, recordKey, condition }: RecordName & { condition: RecordCondition },
): Promise<'deleted' | 'differs' | 'missing'> {
  await lockUsage(tx);
  const before = await findVersion(tx, { collection, recordKey });
  if (before === null) return 'missing';
  if (!holds(condition, before)) return 'differs';
  await tx.execute(sql`
    delete from app_records where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and collection = ${collection} and record_key = ${recordKey}`);
  await tx.execute(sql`
    update app_record_usage set records = records - 1, bytes = bytes - ${before.value_bytes}
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey}`);
  return 'deleted';
}

async function lockUsage(tx: InstallTx): Promise<RecordUsage & { readonly last_version: number }> {
  const { applicationId, clientKey } = tx;
  await tx.execute(sql`
    insert into app_record_usage (application_id, client_key) values (${applicationId}, ${clientKey}) on conflict do nothing`);
  return tx.one(sql`
    select records, bytes, last_version from app_record_usage where application_id = ${applicationId} and client_key = ${clientKey} for update`);
}

async function findVersion(
  tx: InstallTx,
  { collection, recordKey }: RecordName,
): Promise<Pick<RecordRow, 'version' | 'value_bytes'> | null> {
  return tx.maybe(sql`
    select version, value_bytes from app_records
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and collection = ${collection} and record_key = ${recordKey}`);
}

function holds(condition: RecordCondition, before: Pick<RecordRow, 'version'> | null): boolean {
  if (condition === null) return true;
  if (condition === 'absent') return before === null;
  return before !== null && (condition === 'present' || before.version === condition.version);
}

async function hasRoomFor(tx: InstallTx, collection: string): Promise<boolean> {
  const known = await listCollections(tx);
  return known.length < COLLECTIONS_MAX || known.includes(collection);
}
