import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { appendEvent } from '../events/index.ts';
import { revokeLater } from '../vault/index.ts';
import type { AccountKey } from './account.ts';
import { deleteAccount, deleteAllAccounts, findAccount } from './account-store.ts';
import { allPendingCredentialIds, pendingCredentialIds } from './pending-connection-store.ts';

/**
 * Removes an account: its tokens end with this transaction, its upstream tokens are revoked soon after. False where there is
 * no such live account.
 */
export async function disconnectAccount(tx: Tx, key: AccountKey, now: Date): Promise<boolean> {
  if ((await findAccount(tx, key.applicationId, key.accountId)) === null) return false;
  const pending = await pendingCredentialIds(tx, key);
  const deleted = await deleteAccount(tx, key);
  if (deleted === null) return false;
  const { applicationId, accountId } = key;
  await appendEvent(tx, { applicationId, accountId, type: 'account.deleted', at: now, data: { service: deleted.service } });
  await revokeAll(tx, key.applicationId, deleted.credentialId === null ? pending : [deleted.credentialId, ...pending]);
  return true;
}

/** Removes every account of an Application that is about to go, provisional ones too. No event for each: the Application's own end tells it. */
export async function disconnectAllAccounts(tx: Tx, applicationId: ApplicationId): Promise<void> {
  const pending = await allPendingCredentialIds(tx, applicationId);
  const used = await deleteAllAccounts(tx, applicationId);
  await revokeAll(tx, applicationId, [...used, ...pending]);
}

async function revokeAll(tx: Tx, applicationId: ApplicationId, credentialIds: readonly string[]): Promise<void> {
  // Asked for together, so that ten thousand accounts do not wait for ten thousand round trips.
  await Promise.all(credentialIds.map((credentialId) => revokeLater(tx, { applicationId, credentialId })));
}
