import type { Database } from '@bulkhead/postgres';
import { deleteOldTokenUses } from './app-token-uses.ts';
import { deleteUninstalled } from './install-store.ts';
import { deleteOldUserTokens } from './user-token-store.ts';

const KEPT_MS = 30 * 24 * 60 * 60_000;
/** Each may hold a hundred thousand records. */
const BATCH = 100;
const TOKENS_BATCH = 1_000;

/**
 * Forgets installs that ended 30 days ago, and with them what their Apps kept. Whoever installs such an App again begins anew. Tokens for users
 * that are over go, too, and those whose use is remembered.
 */
export async function forgetUninstalled(db: Database, now: Date): Promise<void> {
  const before = new Date(now.getTime() - KEPT_MS);
  const deleteSome = () => db.withSystem('forget installs that are over', (tx) => deleteUninstalled(tx, { before, now, limit: BATCH }));
  while ((await deleteSome()) === BATCH);
  for (const deleteOld of [deleteOldUserTokens, deleteOldTokenUses]) {
    const deleteTokens = () => db.withSystem('forget tokens of Apps that are over', (tx) => deleteOld(tx, { now, limit: TOKENS_BATCH }));
    while ((await deleteTokens()) === TOKENS_BATCH);
  }
}
