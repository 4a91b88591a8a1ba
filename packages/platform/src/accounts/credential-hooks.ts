import { appendAudit } from '../audit/index.ts';
import type { RefreshHooks } from '../vault/index.ts';
import { markBroken, markRenewed } from './account-store.ts';

/** Keeps the health of accounts in step with their credentials, in the vault's own transactions. */
export function credentialHooks(): RefreshHooks {
  return {
    async onBroken(tx, { applicationId, credentialId }, reason, now) {
      const accountId = await markBroken(tx, applicationId, credentialId, reason, now);
      if (accountId === null) return;
      await appendAudit(tx, {
        applicationId,
        actor: { kind: 'system' },
        action: 'account.broken',
        at: now,
        target: String(accountId),
        detail: { reason },
      });
    },
    onRefreshed: (tx, { applicationId, credentialId }, now, grantedScopes) =>
      markRenewed(tx, applicationId, credentialId, grantedScopes, now),
  };
}
