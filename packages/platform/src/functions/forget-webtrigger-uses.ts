import type { Database } from '@bulkhead/postgres';
import { deletePastUses } from './webtrigger-store.ts';

const BATCH = 1_000;

/** Forgets signed requests whose time is over: they could not call again anyway. */
export async function forgetWebtriggerUses(db: Database, now: Date): Promise<void> {
  const deleteSome = () => db.withSystem('forget uses of web triggers', (tx) => deletePastUses(tx, { now, limit: BATCH }));
  while ((await deleteSome()) === BATCH);
}
