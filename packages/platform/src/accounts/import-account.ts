import type { Tx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { findService, getApplicationSettings } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import { effectiveScope, parseScope } from '../services/index.ts';
import { deleteCredential, findCredential, type NewCredential, openCredential, storeCredential, type Vault } from '../vault/index.ts';
import type { Account, AccountKey } from './account.ts';
import { accountErrors } from './account-errors.ts';
import type { ImportBody } from './account-messages.ts';
import { applyConnection, claimIdentity, findAccount, updateAccount } from './account-store.ts';
import { recordConnection } from './connect-account.ts';
import { credentialFrom, opensTheSame } from './given-credential.ts';

/**
 * Takes over an account whose tokens the caller has already. The same identity imported again gets the new credential and keeps its id; a
 * name alone is no identity, so an account of that name is replaced only by a credential that shows it is the same one, else the import
 * is refused with `account.exists` (C4). Nothing is asked of the upstream: a token that does not work shows with the first call.
 */
export async function importAccount(
  tx: Tx,
  { vault, accountsMax }: { readonly vault: Vault; readonly accountsMax?: number | undefined },
  context: RequestContext,
  body: ImportBody,
): Promise<Account> {
  const { applicationId, now } = context;
  const [found, settings] = [await findService(tx, applicationId, body.service), await getApplicationSettings(tx, applicationId)];
  const isEnabled = settings?.enabledServices === null || settings?.enabledServices?.includes(body.service) === true;
  if (found === null || !isEnabled) throw accountErrors('account.unknown_service', { params: { service: body.service }, field: 'service' });
  const service = found.service.definition.id;
  const tokens = credentialFrom(found.service, body, body, null);
  const scope = effectiveScope(found.service, parseScope(body.scope ?? 'any'));
  const identity = { id: body.identity_id ?? body.account, name: body.account };

  const credentialId = await storeCredential(tx, vault, { applicationId, service, tokens, now });
  const { accountId, provisional } = await claimIdentity(tx, { applicationId, service, identity, effectiveScope: scope, accountsMax, now });
  const key = { applicationId, accountId };
  if (!provisional && body.identity_id === undefined) await assertSameByName(tx, vault, key, tokens);
  const connection = {
    credentialId,
    account: body.account,
    effectiveScope: scope,
    grantedScopes: null,
    customProperties: body.custom_properties ?? null,
    endUser: body.end_user ?? null,
  };
  const applied = await applyConnection(tx, key, connection, now);
  if (applied === null) throw accountErrors('account.not_pending');
  await recordConnection(tx, key, applied, now);
  if (applied.replacedCredentialId !== null) await deleteCredential(tx, { applicationId, credentialId: applied.replacedCredentialId });
  if (body.active !== undefined || body.admin !== undefined) await updateAccount(tx, key, { active: body.active, admin: body.admin }, now);
  await audit(tx, context, { target: String(accountId), detail: { service } });
  const account = await findAccount(tx, applicationId, accountId);
  if (account === null) throw accountErrors('account.not_pending');
  return account;
}

/** The account was found by its name: held until the end of the transaction, so that of two imports at once the second sees the first. */
async function assertSameByName(tx: Tx, vault: Vault, { applicationId, accountId }: AccountKey, tokens: NewCredential): Promise<void> {
  const known = await findAccount(tx, applicationId, accountId);
  const credentialId = known?.credentialId ?? null;
  const stored = credentialId === null ? null : await findCredential(tx, { applicationId, credentialId });
  if (stored !== null && opensTheSame(tokens, await openCredential(tx, vault, stored))) return;
  throw accountErrors('account.exists', { params: { account: known?.account ?? '', id: String(accountId) }, field: 'account' });
}
