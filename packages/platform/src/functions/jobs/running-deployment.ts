import type { ApplicationId } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { type Deployment, findDeployment } from '../deployment-store.ts';

/** Which version runs for an install in an environment, and of which environment jobs of an install may be; null where none does. */
export function runningDeployment(
  db: Database,
  {
    organizationId,
    appKey,
    environment,
  }: { applicationId: ApplicationId; organizationId: string; clientKey: string; appKey: string; environment: string },
): Promise<Deployment | null> {
  return db.withOrganization(organizationId, (tx) => findDeployment(tx, { organizationId, appKey, environment }));
}
