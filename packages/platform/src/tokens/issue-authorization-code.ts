import type { ApplicationId, Secret } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { type AuthorizationCode, insertCode } from './authorization-code-store.ts';
import { authorizationCode, CODE_LIFETIME_SECONDS, secondsAfter } from './token-credentials.ts';

/** Issues a code (RFC 6749 §4.1.2): 256 random bits, good once, for a minute. Letters, digits and `_` only, so it is safe in any URL. */
export async function issueAuthorizationCode(
  tx: Tx,
  fields: AuthorizationCode & { readonly applicationId: ApplicationId; readonly now: Date },
): Promise<Secret> {
  const issued = authorizationCode.issue(fields.applicationId);
  await insertCode(tx, { ...fields, hash: issued.hash, expiresAt: secondsAfter(fields.now, CODE_LIFETIME_SECONDS) });
  return issued.secret;
}
