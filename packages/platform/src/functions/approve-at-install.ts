import type { Database, TenantTx } from '@bulkhead/postgres';
import { findDeployment } from './deployment-store.ts';
import { approve, PRODUCTION } from './environment-install-store.ts';

/**
 * Whoever installs an App takes it as it is: what its functions in production request at that moment is approved. What they request later waits.
 * Answers what to do in the transaction of the install, which answers the permissions.
 */
export function approvalAtInstall({
  db,
}: {
  db: Database;
}): (
  organizationId: string,
  appKey: string,
) => Promise<(tx: TenantTx, install: { readonly clientKey: string }, now: Date) => Promise<readonly string[]>> {
  return async (organizationId, appKey) => {
    const newest = await db.withOrganization(organizationId, (tx) =>
      findDeployment(tx, { organizationId, appKey, environment: PRODUCTION }),
    );
    const permissions = newest?.permissions ?? [];
    return async (tx, { clientKey }, now) => {
      await approve(tx, { clientKey, environment: PRODUCTION, permissions, now });
      return permissions;
    };
  };
}
