import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { type NewCredential, revokeLater, storeCredential, type Vault } from '../vault/index.ts';
import { isAccountOf } from './account-store.ts';

export interface UnusedTokens {
  readonly applicationId: ApplicationId;
  readonly service: string;
  /** Whose tokens they are; null where the service did not say. */
  readonly identityId: string | null;
  readonly tokens: NewCredential;
  readonly now: Date;
}

/**
 * Has tokens revoked at their upstream that a refused flow brought and no account will use. False, and nothing is done, where the same
 * person may have an account here: most providers end the whole grant with one of its tokens (RFC 7009 §2.1), that account's with it.
 */
export async function revokeUnused(tx: Tx, vault: Vault, unused: UnusedTokens): Promise<boolean> {
  const { applicationId } = unused;
  if (await isAccountOf(tx, unused)) return false;
  const credentialId = await storeCredential(tx, vault, unused);
  await revokeLater(tx, { applicationId, credentialId });
  return true;
}
