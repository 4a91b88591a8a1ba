import { type ApplicationId, randomBase62 } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';

/** A rotation under way. It lives in the database: whoever starts a rotation of the same kind goes on with it. */
export interface Rotation {
  readonly rotationId: string;
  readonly startedAt: Date;
  /** Of root keys only. */
  readonly from: string | null;
  readonly to: string | null;
  /** Of data keys: the only Application it is about; null: all of them. */
  readonly limitedTo: ApplicationId | null;
}

interface RotationRow {
  rotation_id: string;
  started_at: Date;
  from_root_key_id: string | null;
  to_root_key_id: string | null;
  limited_to: ApplicationId | null;
}

function rotation(row: RotationRow): Rotation {
  return {
    rotationId: row.rotation_id,
    startedAt: row.started_at,
    from: row.from_root_key_id,
    to: row.to_root_key_id,
    limitedTo: row.limited_to,
  };
}

export async function listRotationsUnderWay(tx: Tx, kind: 'root' | 'data'): Promise<Rotation[]> {
  const rows = await tx.query<RotationRow>(sql`
    select rotation_id, started_at, from_root_key_id, to_root_key_id, limited_to from key_rotations
     where kind = ${kind} and finished_at is null order by started_at`);
  return rows.map(rotation);
}

/** Begins a rotation, or answers the one of this kind that is under way: of several at once, one is begun. */
export async function beginRotation(
  tx: Tx,
  fields: { kind: 'root' | 'data'; from: string | null; to: string | null; limitedTo: ApplicationId | null },
): Promise<Rotation> {
  await tx.execute(sql`
    insert into key_rotations (rotation_id, kind, limited_to, from_root_key_id, to_root_key_id)
    values (${`rot${randomBase62(22)}`}, ${fields.kind}, ${fields.limitedTo}, ${fields.from}, ${fields.to})
    on conflict do nothing`);
  const row = await tx.one<RotationRow>(sql`
    select rotation_id, started_at, from_root_key_id, to_root_key_id, limited_to from key_rotations
     where kind = ${fields.kind} and limited_to is not distinct from ${fields.limitedTo} and finished_at is null`);
  return rotation(row);
}

export async function finishRotation(tx: Tx, { rotationId }: Rotation): Promise<void> {
  await tx.execute(sql`update key_rotations set finished_at = clock_timestamp() where rotation_id = ${rotationId} and finished_at is null`);
}
