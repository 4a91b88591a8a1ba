import type { Database } from '@bulkhead/postgres';
import { deletePastInbound } from './inbound-message-store.ts';

const ROUNDS_MAX = 20;

/** Deletes messages that are past, and what is known of deliveries of 30 days ago; in small transactions, the rest the next time. */
export async function forgetPastInbound(db: Database, now: Date): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const deleted = await db.withSystem('forget past messages of services', (tx) => deletePastInbound(tx, now));
    if (deleted === 0) return;
  }
}
