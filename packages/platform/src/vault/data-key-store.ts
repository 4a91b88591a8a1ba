import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';

/** A data key as it is stored: wrapped. */
export interface DataKeyRow {
  readonly application_id: ApplicationId;
  readonly version: number;
  readonly root_key_id: string;
  /** Null: wrapped by the root key alone. */
  readonly application_key_id: string | null;
  /** Root keys that alone opened this Application's keys in an earlier state of the database. */
  readonly alone_under: string[];
  readonly wrapped_key: Buffer;
}

export async function findDataKey(tx: Tx, applicationId: ApplicationId, version: number): Promise<DataKeyRow | null> {
  return tx.maybe<DataKeyRow>(sql`
    select application_id, version, root_key_id, application_key_id, alone_under, wrapped_key from data_keys
     where application_id = ${applicationId} and version = ${version}`);
}

/**
 * The version to seal under. Until this transaction ends nobody deletes it (`deleteUnusedVersions` waits), so that what is sealed
 * now can be opened. Null where there is none, or where it was replaced while we waited: read again.
 */
export async function lockNewestVersion(tx: Tx, applicationId: ApplicationId): Promise<number | null> {
  const row = await tx.maybe<{ version: number }>(sql`
    select version from data_keys where application_id = ${applicationId} order by version desc limit 1 for key share`);
  return row?.version ?? null;
}

/**
 * The root key to wrap under. Until this transaction ends no rotation takes its count (`switchRootKey` waits), so that no key is
 * wrapped by one that is being retired. For the system role. Throws where the database was never claimed.
 */
export async function lockRootKeyId(tx: Tx): Promise<string> {
  return (await tx.one<{ root_key_id: string }>(sql`select root_key_id from root_key_claims for share`)).root_key_id;
}

/** False where this version is there already. */
export async function insertDataKey(tx: Tx, row: DataKeyRow): Promise<boolean> {
  const inserted = await tx.execute(sql`
    insert into data_keys (application_id, version, root_key_id, application_key_id, alone_under, wrapped_key, created_at)
    values (${row.application_id}, ${row.version}, ${row.root_key_id}, ${row.application_key_id}, ${row.alone_under}, ${row.wrapped_key}, clock_timestamp())
    on conflict do nothing`);
  return inserted === 1;
}

export async function hasDataKey(tx: Tx, applicationId: ApplicationId): Promise<boolean> {
  return (await tx.maybe(sql`select 1 from data_keys where application_id = ${applicationId} limit 1`)) !== null;
}

/** Of one Application, the newest first. */
export async function dataKeysOf(tx: Tx, applicationId: ApplicationId): Promise<DataKeyRow[]> {
  return tx.query<DataKeyRow>(sql`
    select application_id, version, root_key_id, application_key_id, alone_under, wrapped_key from data_keys
     where application_id = ${applicationId} order by version desc`);
}

/** Root keys that open this Application's secrets without its own key, now or in an earlier state of the database. */
export async function rootKeysThatOpenAlone(tx: Tx, applicationId: ApplicationId): Promise<string[]> {
  const rows = await tx.query<{ root_key_id: string }>(sql`
    select root_key_id from data_keys where application_id = ${applicationId} and application_key_id is null
     union select unnest(alone_under) from data_keys where application_id = ${applicationId} order by 1`);
  return rows.map((row) => row.root_key_id);
}

/** Keeps in mind that an old dump and these root keys still open an Application that is gone. */
export async function insertAwaitingDeletion(
  tx: Tx,
  fields: { applicationId: ApplicationId; rootKeyIds: readonly string[]; now: Date },
): Promise<void> {
  for (const id of fields.rootKeyIds)
    await tx.execute(sql`
      insert into deletions_awaiting_root_key (deleted_application, root_key_id, erased_at)
      values (${fields.applicationId}, ${id}, ${fields.now}) on conflict do nothing`);
}
