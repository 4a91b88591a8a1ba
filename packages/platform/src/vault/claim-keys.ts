import type { ApplicationId } from '@bulkhead/base';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import type { KeyService } from './key-service.ts';

/** Why a process must not go on with the keys it was given: it would seal what the others cannot open, or open nothing. */
export type KeysRefused =
  | 'another root key'
  /** A rotation is under way, and one of its two keys was not given. */
  | 'half of a rotation'
  | 'no key folder'
  | 'another key folder'
  | 'a key folder with gaps';

interface ClaimRow {
  root_key_id: string;
  previous_root_key_id: string | null;
  key_folder_id: string | null;
}

/** How many Applications' keys are looked for at a start. */
const SAMPLE = 50;

/** Whether a root key was ever claimed for this database: then it must be found, not made. */
export async function hasRootKey(db: Database): Promise<boolean> {
  return db.withSystem('look for a root key claim', async (tx) => (await tx.maybe(sql`select 1 from root_key_claims`)) !== null);
}

/**
 * Claims the database for these keys where none has. Null where the process may go on; otherwise the reason why not. Of several
 * first processes with keys of their own, one wins.
 */
export async function claimKeys(db: Database, keys: KeyService, now: Date): Promise<KeysRefused | null> {
  return db.withSystem('claim the root key', async (tx) => {
    const held = await keys.rootKeyIds();
    await tx.execute(sql`insert into root_key_claims (root_key_id, claimed_at) values (${held[0]!}, ${now}) on conflict do nothing`);
    const claim = await tx.one<ClaimRow>(sql`
      select root_key_id, previous_root_key_id, key_folder_id from root_key_claims for update`);
    return (await refusalOfRootKeys(tx, held, claim)) ?? refusalOfKeyFolder(tx, keys, claim);
  });
}

async function refusalOfRootKeys(tx: Tx, held: readonly string[], claim: ClaimRow): Promise<KeysRefused | null> {
  const isHeld = (id: string | null) => id === null || held.includes(id);
  const isRotating = claim.previous_root_key_id !== null;
  if (isRotating && isHeld(claim.root_key_id) !== isHeld(claim.previous_root_key_id)) return 'half of a rotation';
  if (!isHeld(claim.root_key_id)) return 'another root key';
  const under = await tx.maybe<{ to_root_key_id: string }>(sql`
    select to_root_key_id from key_rotations where kind = 'root' and finished_at is null`);
  if (!isHeld(under?.to_root_key_id ?? null)) return 'half of a rotation';
  const foreign = await tx.maybe(sql`select 1 from data_keys where root_key_id <> all (${[...held]}) limit 1`);
  return foreign === null ? null : 'another root key';
}

async function refusalOfKeyFolder(tx: Tx, { applicationKeys }: KeyService, claim: ClaimRow): Promise<KeysRefused | null> {
  if (applicationKeys === null) return claim.key_folder_id === null ? null : 'no key folder';
  if (claim.key_folder_id === null) {
    await tx.execute(sql`update root_key_claims set key_folder_id = ${await applicationKeys.setUp()}`);
    return null;
  }
  if ((await applicationKeys.placeId()) !== claim.key_folder_id) return 'another key folder';
  // A sample from both ends: a folder that was restored from too old a copy lacks the newest, a torn one any.
  const sample = await tx.query<{ application_id: ApplicationId; application_key_id: string }>(sql`
    select application_id, application_key_id from data_keys join applications using (application_id)
     where application_key_id is not null and deleted_at is null order by data_keys.created_at desc limit ${SAMPLE}`);
  for (const row of sample) if (!(await applicationKeys.has(row.application_id, row.application_key_id))) return 'a key folder with gaps';
  return null;
}
