import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { revokeLater } from '../vault/index.ts';
import type { AccountKey } from './account.ts';
import { allAccountIds, deleteAccount, findAccount } from './account-store.ts';
import { pendingCredentialIds } from './pending-connection-store.ts';

/**
 * Removes an account: its tokens end with this transaction, its upstream tokens are revoked soon after. False where there is
 * no such live account.
 */
export async function disconnectAccount(tx: Tx, key: AccountKey): Promise<boolean> {
  if ((await findAccount(tx, key.applicationId, key.accountId)) === null) return false;
  return remove(tx, key);
}

/** Removes every account of an Application that is about to go, provisional ones too. */
export async function disconnectAllAccounts(tx: Tx, applicationId: ApplicationId): Promise<number> {
  const ids = await allAccountIds(tx, applicationId);
  for (const accountId of ids) await remove(tx, { applicationId, accountId });
  return ids.length;
}

async function remove(tx: Tx, key: AccountKey): Promise<boolean> {
  const pending = await pendingCredentialIds(tx, key);
  const deleted = await deleteAccount(tx, key);
  if (deleted === null) return false;
  for (const credentialId of [deleted.credentialId, ...pending]) {
    if (credentialId !== null) await revokeLater(tx, { applicationId: key.applicationId, credentialId });
  }
  return true;
}
