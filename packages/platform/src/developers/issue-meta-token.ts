import { issueControlCredential, type Secret } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { developerErrors } from './developer-errors.ts';
import { META_SCOPES } from './meta-token-scopes.ts';
import { insertMetaToken, type MetaToken } from './meta-token-store.ts';

/** Issues a Meta token; its text is in the answer and nowhere else. */
export async function issueMetaToken(
  tx: Tx,
  request: { organizationId: string; name: string; scopes?: readonly string[]; expiresAt?: Date | null; now: Date },
): Promise<{ metaToken: MetaToken; secret: Secret }> {
  const scopes = request.scopes ?? META_SCOPES;
  const unknown = scopes.find((scope) => !META_SCOPES.some((known) => known === scope));
  if (unknown !== undefined)
    throw developerErrors('meta_token.unknown_scope', { params: { scope: unknown, known: META_SCOPES.join(', ') }, field: 'scopes' });
  if (request.expiresAt && request.expiresAt <= request.now) throw developerErrors('meta_token.expired_at_birth', { field: 'expires_at' });
  const issued = issueControlCredential('bhm');
  const metaToken = await insertMetaToken(tx, { ...request, scopes, issued, expiresAt: request.expiresAt ?? null });
  return { metaToken, secret: issued.secret };
}
