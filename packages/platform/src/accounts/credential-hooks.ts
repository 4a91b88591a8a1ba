import { appendAudit } from '../audit/index.ts';
import { appendEvent } from '../events/index.ts';
import type { RefreshHooks } from '../vault/index.ts';
import { markBroken, markRenewed } from './account-store.ts';

/** Keeps the health of accounts in step with their credentials, and says so in the event log, in the vault's own transactions. */
export function credentialHooks(): RefreshHooks {
  return {
    async onBroken(tx, { applicationId, credentialId }, reason, now) {
      const account = await markBroken(tx, applicationId, credentialId, reason, now);
      if (account === null) return;
      const { accountId, service } = account;
      await appendEvent(tx, { applicationId, accountId, type: 'account.broken', at: now, data: { service, reason } });
      await appendAudit(tx, {
        applicationId,
        actor: { kind: 'system' },
        action: 'account.broken',
        at: now,
        target: String(accountId),
        detail: { reason },
      });
    },
    async onRefreshed(tx, { applicationId, credentialId }, now, grantedScopes) {
      const account = await markRenewed(tx, applicationId, credentialId, grantedScopes, now);
      if (account === null) return;
      const { accountId, service } = account;
      await appendEvent(tx, { applicationId, accountId, type: 'account.token_refreshed', at: now, data: { service } });
    },
  };
}
