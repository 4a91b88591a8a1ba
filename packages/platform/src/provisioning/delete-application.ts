import type { Database } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { disconnectAllAccounts } from '../accounts/index.ts';
import { markApplicationDeleted } from '../applications/index.ts';
import { audit, auditOrganization } from '../audit/index.ts';
import { appendEvent } from '../events/index.ts';
import { uninstallAll } from '../installs/index.ts';
import { enqueueTask } from '../tasks/index.ts';
import { eraseApplicationKind } from './erase-application-task.ts';

/**
 * Ends an Application: from the commit on no key, token or link of it is worth anything. Upstream credentials are revoked
 * by tasks; then every row and the data key are erased.
 */
export async function deleteApplication(
  { db, publicUrl }: { db: Database; publicUrl: () => string },
  context: RequestContext<MetaTokenPrincipal>,
): Promise<void> {
  const { applicationId } = context;
  await db.withTenant(applicationId, async (tx) => {
    await appendEvent(tx, { applicationId, accountId: null, type: 'application.deleted', at: context.now, data: {} });
    await uninstallAll(tx, { publicUrl }, context.now);
    await markApplicationDeleted(tx, applicationId, context.now);
    await disconnectAllAccounts(tx, applicationId);
    await enqueueTask(
      tx,
      applicationId,
      eraseApplicationKind,
      { deleted_at: context.now.toISOString(), organization_id: context.principal.organizationId },
      { runAt: context.now },
    );
    await audit(tx, context, { target: applicationId });
  });
  // The Application's own log goes with it; the organization's keeps the fact.
  await db.withControl('record the end of an Application', (tx) =>
    auditOrganization(tx, context, context.principal.organizationId, { target: applicationId }),
  );
}
