import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { eraseApplication } from '../applications/index.ts';
import { appendOrganizationAudit, auditTail, sealAudit } from '../audit/index.ts';
import { type AnyTask, defineTask, hasTasksBeside, type TaskKind } from '../tasks/index.ts';
import { insertAwaitingDeletion, type Vault } from '../vault/index.ts';

const WAIT_MS = 2_000;
const WAITS_MAX_MS = 45_000;

const payload = z.object({ deleted_at: z.iso.datetime(), organization_id: z.string() });

export const eraseApplicationKind: TaskKind<z.output<typeof payload>> = { name: 'provisioning.erase_application', schema: payload };

/**
 * Destroys the key of a deleted Application, then removes every row of it and with them its data keys. It waits for the upstream revocations, but no longer
 * than 45 s: a provider that does not answer must not keep a secret alive here. Safe to run twice: nothing is left the second time.
 */
export function eraseApplicationTask({ db, vault }: { db: Database; vault: Vault }): AnyTask {
  return defineTask(
    eraseApplicationKind.name,
    eraseApplicationKind.schema,
    async ({ applicationId, payload: { deleted_at, organization_id: organizationId }, now }) => {
      const waiting = now.getTime() - Date.parse(deleted_at) < WAITS_MAX_MS;
      const isBusy = await db.withTenant(applicationId, (tx) => hasTasksBeside(tx, applicationId, eraseApplicationKind.name));
      if (waiting && isBusy) return { runAgainAt: new Date(now.getTime() + WAIT_MS) };
      // Its log goes with it; the organization's keeps where it ended, so that neither the end nor the log can be denied.
      await sealAudit(db, now);
      const tail = await db.withTenant(applicationId, (tx) => auditTail(tx, applicationId));
      // First the key, so that a kill in between leaves rows that nobody can read, and not a key to rows that are gone.
      const rootKeyIds = await db.withTenant(applicationId, (tx) => vault.shred(tx, applicationId));
      await db.withSystem('record which root keys open a deleted Application in old dumps', (tx) =>
        insertAwaitingDeletion(tx, { applicationId, rootKeyIds, now }),
      );
      // Before the rows go: twice in the organization's log is better than never.
      await db.withControl('record that an Application is erased', (tx) =>
        appendOrganizationAudit(tx, {
          organizationId,
          actor: { kind: 'system' },
          action: 'application.erased',
          at: now,
          target: applicationId,
          detail: rootKeyIds.length === 0 ? tail : { ...tail, opens_in_old_dumps_under_root_keys: rootKeyIds },
        }),
      );
      await db.withTenant(applicationId, (tx) => eraseApplication(tx, applicationId));
      // Once more, now that nothing can be wrapped by it: a rotation that ran beside us may have made it anew.
      await vault.keys.applicationKeys?.destroy(applicationId);
      return undefined;
    },
  );
}
