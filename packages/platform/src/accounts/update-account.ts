import { httpErrors } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import type { ApiKeyPrincipal, BearerPrincipal, RequestContext } from '../access/index.ts';
import { findService } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import { appendEvent } from '../events/index.ts';
import { findCredential, openCredential, replaceCredential, storeCredential, type Vault } from '../vault/index.ts';
import type { Account } from './account.ts';
import { accountErrors } from './account-errors.ts';
import { type UpdateBody, updateBody } from './account-messages.ts';
import { findAccount, updateAccount as writeAccount } from './account-store.ts';
import { credentialFrom, namesCredential } from './given-credential.ts';

/**
 * Changes an account. New tokens make a broken account healthy. A token of the account may change what it shows
 * (`custom_properties`, `account`); credentials and `active` are the API key's.
 */
export async function updateAccount(
  tx: Tx,
  vault: Vault,
  context: RequestContext<ApiKeyPrincipal | BearerPrincipal>,
  accountId: number,
  body: UpdateBody,
): Promise<Account> {
  const { applicationId, now } = context;
  const account = await findAccount(tx, applicationId, accountId);
  if (account === null) throw httpErrors('not_found');
  const active = body.active ?? body.enabled;
  const givesCredential = namesCredential(body);
  if (context.principal.kind === 'bearer' && (givesCredential || active !== undefined))
    throw accountErrors('account.needs_api_key', { params: { what: 'change credentials or `active`' } });
  if (body.service !== undefined && body.service !== account.service) throw accountErrors('account.service_fixed', { field: 'service' });
  const healed = givesCredential ? await replace(tx, vault, context, account, body) : undefined;
  const changed = await writeAccount(tx, account, { account: body.account, active, customProperties: body.custom_properties, healed }, now);
  if (changed === null) throw givesCredential ? accountErrors('account.credential_changed') : httpErrors('not_found');
  if (givesCredential) {
    const data = { service: changed.service, end_user: changed.endUser };
    await appendEvent(tx, { applicationId, accountId, type: 'account.reconnected', at: now, data });
  }
  await audit(tx, context, {
    target: String(accountId),
    detail: { fields: Object.keys(updateBody.shape).filter((field) => field in body) },
  });
  return changed;
}

/** Keeps the credential that the body names: in place of the one there is, or as a new one where an operator has revoked that. */
async function replace(tx: Tx, vault: Vault, { applicationId, now }: RequestContext, account: Account, body: UpdateBody) {
  const { credentialId } = account;
  const found = await findService(tx, applicationId, account.service);
  if (found === null) throw accountErrors('account.unknown_service', { params: { service: account.service } });
  if (credentialId === null) {
    const tokens = credentialFrom(found.service, body, body, null);
    const service = found.service.definition.id;
    return { credentialId: await storeCredential(tx, vault, { applicationId, service, tokens, now }), before: null };
  }
  const stored = await findCredential(tx, { applicationId, credentialId });
  if (stored === null) throw httpErrors('not_found');
  const tokens = credentialFrom(found.service, body, body, await openCredential(tx, vault, stored));
  if (!(await replaceCredential(tx, vault, stored, { version: stored.version, tokens, now })))
    throw accountErrors('account.credential_changed');
  return { credentialId, before: credentialId };
}
