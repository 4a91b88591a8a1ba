import type { Clock, Secret } from '@bulkhead/base';
import { appendOrganizationAudit, ensureFirstOrganization, issueMetaToken, listMetaTokens } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';

/**
 * A Meta token where the organization has none yet, so that the first thing a newcomer sees opens the API; null where
 * it has one. Of several processes that start at once, one issues it: `ensureFirstOrganization` holds the lock.
 */
export async function issueFirstMetaToken(db: Database, clock: Clock): Promise<Secret | null> {
  return db.withControl('first Meta token', async (tx) => {
    const organizationId = await ensureFirstOrganization(tx);
    if ((await listMetaTokens(tx, organizationId)).length > 0) return null;
    const now = new Date(clock.now());
    const { metaToken, secret } = await issueMetaToken(tx, { organizationId, name: 'First start', now });
    await appendOrganizationAudit(tx, {
      organizationId,
      actor: { kind: 'system' },
      action: 'meta_token.issued',
      at: now,
      target: metaToken.metaTokenId,
    });
    return secret;
  });
}
