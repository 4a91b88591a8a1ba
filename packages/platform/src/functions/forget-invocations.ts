import type { Database } from '@bulkhead/postgres';
import { deleteInvocations } from './invocation-store.ts';

const KEPT_MS = 7 * 24 * 60 * 60_000;
const BATCH = 1_000;

/** Forgets calls of a week ago, and what they wrote. */
export async function forgetInvocations(db: Database, now: Date): Promise<void> {
  const before = new Date(now.getTime() - KEPT_MS);
  const deleteSome = () => db.withSystem('forget calls of functions', (tx) => deleteInvocations(tx, { before, limit: BATCH }));
  while ((await deleteSome()) === BATCH);
}
