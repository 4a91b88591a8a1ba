import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { type AnyTask, defineTask, type TaskKind } from '../tasks/index.ts';
import { deleteCredential, revokeLater } from '../vault/index.ts';
import { deleteAccount, isProvisional } from './account-store.ts';
import { pendingCredentialIds, takePendingConnection } from './pending-connection-store.ts';

/** A code lives a minute; whatever has not come by then will not come. */
export const UNCONFIRMED_MS = 15 * 60_000;

export const forgetUnconfirmed: TaskKind<{ accountId: number; credentialId: string }> = {
  name: 'accounts.forget_unconfirmed',
  schema: z.strictObject({ accountId: z.int(), credentialId: z.string() }),
};

/**
 * Forgets a connection that nobody confirmed, and a provisional account with its last one. Running it twice finds nothing. Where
 * the account is live its tokens belong to the same grant at the upstream, so only those of an account that goes are revoked.
 */
export function forgetUnconfirmedTask({ db }: { db: Database }): AnyTask {
  return defineTask(forgetUnconfirmed.name, forgetUnconfirmed.schema, async ({ applicationId, payload: { accountId, credentialId } }) => {
    await db.withTenant(applicationId, async (tx) => {
      const account = { applicationId, accountId };
      const provisional = await isProvisional(tx, account);
      if ((await takePendingConnection(tx, account, credentialId)) === null) return;
      const isLast = provisional && (await pendingCredentialIds(tx, account)).length === 0;
      if (!isLast) return deleteCredential(tx, { applicationId, credentialId });
      await deleteAccount(tx, account);
      await revokeLater(tx, { applicationId, credentialId });
    });
  });
}
