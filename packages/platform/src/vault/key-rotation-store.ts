import type { ApplicationId } from '@bulkhead/base';
import { type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { DataKeyRow } from './data-key-store.ts';
import type { DefinedSealedColumn } from './sealed-column.ts';

/** What is known of the root key of this database; `previous` while one takes the other's place. Null before the first start. */
export async function findClaim(tx: Tx): Promise<{ readonly current: string; readonly previous: string | null } | null> {
  return tx.maybe(sql`select root_key_id as current, previous_root_key_id as previous from root_key_claims`);
}

/** From the commit on everything new is wrapped by `to`. Waits for whoever is wrapping under `from`. Safe to repeat. */
export async function switchRootKey(tx: Tx, from: string, to: string): Promise<void> {
  await tx.execute(sql`update root_key_claims set root_key_id = ${to}, previous_root_key_id = ${from} where root_key_id = ${from}`);
}

export interface DataKeyCursor {
  readonly applicationId: string;
  readonly version: number;
}

/**
 * Data keys that another root key than `rootKeyId` wraps, locked against erasing until the transaction ends; from behind `after` on,
 * in order.
 */
export async function lockDataKeysOfOthers(
  tx: Tx,
  rootKeyId: string,
  after: DataKeyCursor | null,
  limit: number,
): Promise<(DataKeyRow & { readonly is_deleted: boolean })[]> {
  const behind = after === null ? sql`true` : sql`(k.application_id, k.version) > (${after.applicationId}, ${after.version})`;
  return tx.query(sql`
    select k.application_id, k.version, k.root_key_id, k.application_key_id, k.alone_under, k.wrapped_key, a.deleted_at is not null as is_deleted
      from data_keys k join applications a using (application_id)
     where k.root_key_id <> ${rootKeyId} and ${behind}
     order by k.application_id, k.version limit ${limit} for no key update of k`);
}

/** Puts a new wrapping in the place of the one that was read. False where the row is another by now, or gone. */
export async function replaceWrapping(
  tx: Tx,
  read: DataKeyRow,
  wrapped: Omit<DataKeyRow, 'alone_under'>,
  aloneUnder: readonly string[],
): Promise<boolean> {
  const changed = await tx.execute(sql`
    update data_keys set root_key_id = ${wrapped.root_key_id}, application_key_id = ${wrapped.application_key_id},
           wrapped_key = ${wrapped.wrapped_key}, alone_under = ${aloneUnder}
     where application_id = ${read.application_id} and version = ${read.version} and wrapped_key = ${read.wrapped_key}`);
  return changed === 1;
}

export async function countDataKeysOfOthers(tx: Tx, rootKeyId: string): Promise<number> {
  return (await tx.one<{ held: number }>(sql`select count(*) as held from data_keys where root_key_id <> ${rootKeyId}`)).held;
}

/** The rotation away from `old` is over. Where `old` is destroyed, answers how many deletions are complete with it. */
export async function endRootKey(tx: Tx, old: string, { destroyed }: { readonly destroyed: boolean }): Promise<number> {
  await tx.execute(sql`update root_key_claims set previous_root_key_id = null where previous_root_key_id = ${old}`);
  if (!destroyed) return 0;
  await tx.execute(sql`update data_keys set alone_under = array_remove(alone_under, ${old}) where ${old} = any(alone_under)`);
  return tx.execute(sql`delete from deletions_awaiting_root_key where root_key_id = ${old}`);
}

/** Which Applications a rotation of data keys begun at `startedAt` has still to do something for. */
function unrotated(startedAt: Date, only: ApplicationId | null): Sql {
  return sql`
    select k.application_id from data_keys k join applications a using (application_id)
     where a.deleted_at is null and ${only === null ? sql`true` : sql`k.application_id = ${only}`}
     group by k.application_id having max(k.created_at) < ${startedAt} or count(*) > 1`;
}

export async function listUnrotated(
  tx: Tx,
  fields: { startedAt: Date; only: ApplicationId | null; after: string; limit: number },
): Promise<ApplicationId[]> {
  const rows = await tx.query<{ application_id: ApplicationId }>(sql`
    select application_id from (${unrotated(fields.startedAt, fields.only)}) as rest
     where application_id > ${fields.after} order by application_id limit ${fields.limit}`);
  return rows.map((row) => row.application_id);
}

export async function countUnrotated(tx: Tx, startedAt: Date, only: ApplicationId | null): Promise<number> {
  return (await tx.one<{ held: number }>(sql`select count(*) as held from (${unrotated(startedAt, only)}) as rest`)).held;
}

/** The newest version and whether it was made since; locked against erasing and against another's rotation. Null: there is none. */
export async function lockNewestDataKey(
  tx: Tx,
  applicationId: ApplicationId,
  since: Date,
): Promise<{ readonly version: number; readonly isNew: boolean } | null> {
  return tx.maybe(sql`
    select version, created_at >= ${since} as "isNew" from data_keys
     where application_id = ${applicationId} order by version desc limit 1 for no key update`);
}

/**
 * Deletes the versions before the newest under which nothing is sealed any more; answers how many of them have to stay. Whoever is
 * sealing under one holds it (`lockNewestVersion`) and is waited for, and what they sealed is seen.
 */
export async function deleteUnusedVersions(tx: Tx, applicationId: ApplicationId, columns: readonly DefinedSealedColumn[]): Promise<number> {
  const older = await tx.query<{ version: number }>(sql`
    select version from data_keys
     where application_id = ${applicationId} and version < (select max(version) from data_keys where application_id = ${applicationId})
       for update`);
  const used = new Set<number>();
  for (const { table, column, tenant } of columns) {
    const name = sql.identifier(column);
    const rows = await tx.query<{ header: Buffer }>(sql`
      select distinct substring(${name} from 1 for 4) as header from ${sql.identifier(table)}
       where ${sql.identifier(tenant)} = ${applicationId} and ${name} is not null`);
    for (const { header } of rows) if (header.byteLength === 4) used.add(header.readUInt32BE());
  }
  const unused = older.map(({ version }) => version).filter((version) => !used.has(version));
  await tx.execute(sql`delete from data_keys where application_id = ${applicationId} and version = any(${unused})`);
  return older.length - unused.length;
}
