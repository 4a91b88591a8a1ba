import type { Tx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { findService, getApplicationSettings } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import { effectiveScope, parseScope } from '../services/index.ts';
import { deleteCredential, storeCredential, type Vault } from '../vault/index.ts';
import type { Account } from './account.ts';
import { accountErrors } from './account-errors.ts';
import type { ImportBody } from './account-messages.ts';
import { applyConnection, claimIdentity, findAccount, updateAccount } from './account-store.ts';
import { credentialFrom } from './given-credential.ts';

/**
 * Takes over an account whose tokens the caller has already. The same identity imported again gets the new credential and
 * keeps its id. Nothing is asked of the upstream: a token that does not work shows with the first call.
 */
export async function importAccount(tx: Tx, vault: Vault, context: RequestContext, body: ImportBody): Promise<Account> {
  const { applicationId, now } = context;
  const [found, settings] = [await findService(tx, applicationId, body.service), await getApplicationSettings(tx, applicationId)];
  const isEnabled = settings?.enabledServices === null || settings?.enabledServices?.includes(body.service) === true;
  if (found === null || !isEnabled) throw accountErrors('account.unknown_service', { params: { service: body.service }, field: 'service' });
  const service = found.service.definition.id;
  const tokens = credentialFrom(found.service, body, body, null);
  const scope = effectiveScope(found.service, parseScope(body.scope ?? 'any'));
  const identity = { id: body.identity_id ?? body.account, name: body.account };

  const credentialId = await storeCredential(tx, vault, { applicationId, service, tokens, now });
  const { accountId } = await claimIdentity(tx, { applicationId, service, identity, effectiveScope: scope, now });
  const key = { applicationId, accountId };
  const connection = {
    credentialId,
    account: body.account,
    effectiveScope: scope,
    grantedScopes: null,
    customProperties: body.custom_properties ?? null,
    endUser: body.end_user ?? null,
  };
  const applied = await applyConnection(tx, key, connection, now);
  if (applied?.replacedCredentialId) await deleteCredential(tx, { applicationId, credentialId: applied.replacedCredentialId });
  if (body.active !== undefined || body.admin !== undefined) await updateAccount(tx, key, { active: body.active, admin: body.admin }, now);
  await audit(tx, context, { target: String(accountId), detail: { service } });
  const account = await findAccount(tx, applicationId, accountId);
  if (account === null) throw accountErrors('account.not_pending');
  return account;
}
