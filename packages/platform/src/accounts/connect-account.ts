import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { appendEvent } from '../events/index.ts';
import { enqueueTask } from '../tasks/index.ts';
import { deleteCredential } from '../vault/index.ts';
import type { AccountKey } from './account.ts';
import { accountErrors } from './account-errors.ts';
import { type AppliedConnection, applyConnection, claimIdentity, findAccount } from './account-store.ts';
import { forgetUnconfirmed, UNCONFIRMED_MS } from './forget-unconfirmed.ts';
import { insertPendingConnection, takePendingConnection } from './pending-connection-store.ts';

export interface ConnectAccountInput {
  readonly applicationId: ApplicationId;
  readonly service: string;
  /** As the upstream tells it: `id` never changes, `name` is for people. */
  readonly identity: { readonly id: string; readonly name: string };
  /** Stored before, in the same transaction. */
  readonly credentialId: string;
  readonly effectiveScope: string;
  readonly grantedScopes: readonly string[] | null;
  readonly endUser: string | null;
  readonly customProperties: Readonly<Record<string, unknown>> | null;
  /** The account that was to be connected anew; null for whichever comes. */
  readonly reconnectAccountId: number | null;
  /** Most accounts of the Application. Default 100,000. */
  readonly accountsMax?: number | undefined;
  readonly now: Date;
}

/**
 * What the end of a connect flow calls. Writes a connection that waits for `confirmAccount`: beside a new provisional account,
 * or beside the live one of this upstream identity, which is not touched before. Throws `account.identity_mismatch` where an
 * account was to be reconnected and another person signed in, `account.limit` where a new account would be too many.
 */
export async function connectAccount(tx: Tx, input: ConnectAccountInput): Promise<{ accountId: number }> {
  const { applicationId, credentialId, reconnectAccountId, now } = input;
  if (reconnectAccountId !== null) await assertSameIdentity(tx, input, reconnectAccountId);
  const { accountId } = await claimIdentity(tx, input);
  const { effectiveScope, grantedScopes, customProperties, endUser } = input;
  await insertPendingConnection(
    tx,
    { applicationId, accountId },
    { credentialId, account: input.identity.name, effectiveScope, grantedScopes, customProperties, endUser },
    now,
  );
  await enqueueTask(tx, applicationId, forgetUnconfirmed, { accountId, credentialId }, { runAt: new Date(now.getTime() + UNCONFIRMED_MS) });
  return { accountId };
}

async function assertSameIdentity(tx: Tx, { applicationId, service, identity }: ConnectAccountInput, accountId: number): Promise<void> {
  const account = await findAccount(tx, applicationId, accountId);
  if (account === null) throw accountErrors('account.not_pending', { detail: 'the account to be reconnected is gone' });
  if (account.service !== service || account.identityId !== identity.id) throw accountErrors('account.identity_mismatch');
}

/**
 * Makes a connection count: the account is live and healthy and has the new credential; the one it had is forgotten (not
 * revoked: see README.md). Throws `account.not_pending` where the connection was forgotten, or the account removed since.
 */
export async function confirmAccount(tx: Tx, input: AccountKey & { readonly credentialId: string; readonly now: Date }): Promise<void> {
  const { applicationId, accountId, credentialId, now } = input;
  const connection = await takePendingConnection(tx, input, credentialId);
  if (connection === null) throw accountErrors('account.not_pending');
  const applied = await applyConnection(tx, { applicationId, accountId }, connection, now);
  if (applied === null) throw accountErrors('account.not_pending');
  await recordConnection(tx, input, applied, now);
  if (applied.replacedCredentialId !== null) await deleteCredential(tx, { applicationId, credentialId: applied.replacedCredentialId });
}

/** Writes down that an account is connected, for the first time or again. */
export async function recordConnection(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
  applied: AppliedConnection,
  now: Date,
): Promise<void> {
  const type = applied.isReconnected ? 'account.reconnected' : 'account.connected';
  await appendEvent(tx, { applicationId, accountId, type, at: now, data: { service: applied.service, end_user: applied.endUser } });
}
