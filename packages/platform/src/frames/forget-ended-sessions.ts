import type { Database } from '@bulkhead/postgres';
import { deleteEndedSessions } from './page-session-store.ts';

const BATCH = 1_000;

/** Forgets pages of Apps that are over, or whose link nobody has opened in time. */
export async function forgetEndedSessions(db: Database, now: Date): Promise<void> {
  const deleteSome = () => db.withSystem('forget pages of Apps that are over', (tx) => deleteEndedSessions(tx, { now, limit: BATCH }));
  while ((await deleteSome()) === BATCH);
}
