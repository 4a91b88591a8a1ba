import { type Database, sql } from '@bulkhead/postgres';
import { findClaim, type KeyService } from '../vault/index.ts';
import { listRotationsUnderWay, type Rotation } from './rotation-store.ts';

export interface KeyStatus {
  readonly backEnd: KeyService['backEnd'];
  /** Ids of the root keys at hand here. */
  readonly held: readonly string[];
  /** The root key that wraps what is new, and the one it takes the place of. */
  readonly current: string | null;
  readonly previous: string | null;
  readonly hasKeyFolder: boolean;
  readonly rotations: readonly (Rotation & { readonly kind: 'root' | 'data' })[];
  readonly applications: number;
  readonly dataKeys: number;
  /** By the root key that wraps them. */
  readonly dataKeysByRootKey: readonly { readonly rootKeyId: string; readonly dataKeys: number }[];
  /** Applications whose deletion older dumps would not feel before the root key ends. */
  readonly openUnderRootKeyAlone: number;
  /** Applications with data keys beside the newest. */
  readonly withOlderVersions: number;
  readonly oldestDataKey: Date | null;
  /** Deleted Applications that older dumps and this root key still open. */
  readonly awaiting: readonly { readonly rootKeyId: string; readonly deletions: number }[];
}

/** What `bulkhead keys status` shows. */
export async function keyStatus(db: Database, keys: KeyService): Promise<KeyStatus> {
  const held = await keys.rootKeyIds();
  return db.withSystem('look at the state of the keys', async (tx) => {
    const claim = await findClaim(tx);
    const [root, data] = [await listRotationsUnderWay(tx, 'root'), await listRotationsUnderWay(tx, 'data')];
    const counts = await tx.one<{
      applications: number;
      keys: number;
      alone: number;
      older: number;
      oldest: Date | null;
    }>(sql`
      select count(*) as applications, coalesce(sum(versions), 0)::int as keys, count(*) filter (where alone) as alone,
             count(*) filter (where versions > 1) as older, min(oldest) as oldest
        from (select count(*)::int as versions, bool_or(application_key_id is null or alone_under <> '{}') as alone, max(created_at) as oldest
                from data_keys group by application_id) as per_application`);
    const dataKeysByRootKey = await tx.query<{ rootKeyId: string; dataKeys: number }>(sql`
      select root_key_id as "rootKeyId", count(*) as "dataKeys" from data_keys group by 1 order by 1`);
    const awaiting = await tx.query<{ rootKeyId: string; deletions: number }>(sql`
      select root_key_id as "rootKeyId", count(*) as deletions from deletions_awaiting_root_key group by 1 order by 1`);
    return {
      backEnd: keys.backEnd,
      held,
      current: claim?.current ?? null,
      previous: claim?.previous ?? null,
      hasKeyFolder: keys.applicationKeys !== null,
      rotations: [...root.map((each) => ({ ...each, kind: 'root' as const })), ...data.map((each) => ({ ...each, kind: 'data' as const }))],
      applications: counts.applications,
      dataKeys: counts.keys,
      dataKeysByRootKey,
      openUnderRootKeyAlone: counts.alone,
      withOlderVersions: counts.older,
      oldestDataKey: counts.oldest,
      awaiting,
    };
  });
}
