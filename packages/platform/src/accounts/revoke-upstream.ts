import type { Tx } from '@bulkhead/postgres';
import { appendEvents } from '../events/index.ts';
import { REVOKED, revokeAllLater } from '../vault/index.ts';
import type { AccountsOlderThan } from './account.ts';
import { deleteEmptyProvisional, takeCredentials } from './account-store.ts';
import { takePendingCredentials } from './pending-connection-store.ts';

/**
 * Takes the upstream credentials of these accounts away, on an operator's word, and has them revoked at their services. The accounts
 * stay, broken, so that connecting the same identity again keeps the id. Connections that nobody has confirmed go too. Answers how
 * many credentials. The caller holds the accounts.
 */
export async function revokeUpstream(tx: Tx, which: AccountsOlderThan, now: Date): Promise<number> {
  const { applicationId } = which;
  const broken = await takeCredentials(tx, which, REVOKED, now);
  const taken = [...broken.map(({ credentialId }) => credentialId), ...(await takePendingCredentials(tx, which))];
  await appendEvents(
    tx,
    broken.map(({ accountId, service }) => ({
      applicationId,
      accountId,
      type: 'account.broken' as const,
      at: now,
      data: { service, reason: REVOKED },
    })),
  );
  await deleteEmptyProvisional(tx, which.applicationId, which.accountIds);
  await revokeAllLater(tx, which.applicationId, taken, now);
  return taken.length;
}
