import type { Clock, Secret } from '@bulkhead/base';
import { appendOrganizationAudit, deleteMetaToken, ensureFirstOrganization, issueMetaToken, listMetaTokens } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';

const LIFETIME_MS = 90 * 24 * 3_600_000;

export interface TemporaryMetaToken {
  readonly secret: Secret;
  /** Ends it; also where it has ended already. */
  revoke(): Promise<void>;
}

/**
 * A Meta token for one run of a part of this process. `name` is that part's alone: what a killed run has left behind
 * under it is revoked first. It expires after 90 days, should nobody come back to do that.
 */
export async function issueTemporaryMetaToken(db: Database, clock: Clock, name: string): Promise<TemporaryMetaToken> {
  const now = new Date(clock.now());
  const actor = { kind: 'system' } as const;
  return db.withControl('temporary Meta token', async (tx) => {
    const organizationId = await ensureFirstOrganization(tx);
    for (const token of await listMetaTokens(tx, organizationId))
      if (token.name === name) await deleteMetaToken(tx, organizationId, token.metaTokenId);
    const { metaToken, secret } = await issueMetaToken(tx, { organizationId, name, expiresAt: new Date(now.getTime() + LIFETIME_MS), now });
    await appendOrganizationAudit(tx, {
      organizationId,
      actor,
      action: 'meta_token.issued',
      at: now,
      target: metaToken.metaTokenId,
      detail: { name },
    });
    const revoke = () =>
      db.withControl('end of a temporary Meta token', async (later) => {
        if (!(await deleteMetaToken(later, organizationId, metaToken.metaTokenId))) return;
        await appendOrganizationAudit(later, {
          organizationId,
          actor,
          action: 'meta_token.revoked',
          at: new Date(clock.now()),
          target: metaToken.metaTokenId,
        });
      });
    return { secret, revoke };
  });
}
