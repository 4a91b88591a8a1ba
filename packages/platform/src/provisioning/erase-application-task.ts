import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import { eraseApplication } from '../applications/index.ts';
import { type AnyTask, defineTask, type TaskKind } from '../tasks/index.ts';
import type { Vault } from '../vault/index.ts';

const WAIT_MS = 2_000;
const WAITS_MAX_MS = 45_000;

const payload = z.object({ deleted_at: z.iso.datetime() });

export const eraseApplicationKind: TaskKind<z.output<typeof payload>> = { name: 'provisioning.erase_application', schema: payload };

/**
 * Removes every row of a deleted Application and with them its data keys. It waits for the upstream revocations, but no longer
 * than 45 s: a provider that does not answer must not keep a secret alive here. Safe to run twice: nothing is left the second time.
 */
export function eraseApplicationTask({ db, vault }: { db: Database; vault: Vault }): AnyTask {
  return defineTask(eraseApplicationKind.name, eraseApplicationKind.schema, async ({ applicationId, payload: { deleted_at }, now }) => {
    const waiting = now.getTime() - Date.parse(deleted_at) < WAITS_MAX_MS;
    const erased = await db.withTenant(applicationId, async (tx) => {
      if (waiting && (await hasOtherTasks(tx, applicationId))) return false;
      await eraseApplication(tx, applicationId);
      return true;
    });
    if (!erased) return { runAgainAt: new Date(now.getTime() + WAIT_MS) };
    vault.forget(applicationId);
    return undefined;
  });
}

async function hasOtherTasks(tx: Tx, applicationId: string): Promise<boolean> {
  const row = await tx.maybe(sql`
    select 1 from tasks where application_id = ${applicationId} and name <> ${eraseApplicationKind.name} limit 1`);
  return row !== null;
}
