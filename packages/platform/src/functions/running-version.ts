import type { ApplicationId } from '@bulkhead/base';
import type { Database, OrganizationTx, Tx } from '@bulkhead/postgres';
import { type Deployment, findDeployment } from './deployment-store.ts';
import { findMembership, type Membership } from './environment-install-store.ts';

/** What runs for an install in an environment, or why nothing does. */
export type Running =
  | { readonly kind: 'runs'; readonly deployment: Deployment; readonly membership: Membership }
  /** The install is not in the environment. */
  | { readonly kind: 'not_joined' }
  | { readonly kind: 'not_deployed' }
  /** Each version requests something that was not approved for the install; `newest` is the one that is to be approved. */
  | { readonly kind: 'not_approved'; readonly newest: Deployment; readonly membership: Membership };

/** The newest version that is not withdrawn and requests nothing that was not approved for this install. */
export async function findRunning(
  db: Database,
  named: { applicationId: ApplicationId; organizationId: string; clientKey: string; appKey: string; environment: string },
): Promise<Running> {
  const { applicationId, organizationId, clientKey, environment } = named;
  const membership = await db.withTenant(applicationId, (tx) => findMembership(tx, clientKey, environment));
  return db.withOrganization(organizationId, (tx) => runningFor(tx, named, membership));
}

/** The same where it is known what was approved. */
export async function runningFor(
  tx: OrganizationTx | Tx,
  { organizationId, appKey, environment }: { organizationId: string; appKey: string; environment: string },
  membership: Membership | null,
): Promise<Running> {
  const of = { organizationId, appKey, environment };
  if (membership !== null) {
    const deployment = await findDeployment(tx, { ...of, approved: membership.approved });
    if (deployment !== null) return { kind: 'runs', deployment, membership };
  }
  const newest = await findDeployment(tx, of);
  if (newest === null) return { kind: 'not_deployed' };
  return membership === null ? { kind: 'not_joined' } : { kind: 'not_approved', newest, membership };
}

/** What a version requests and was not approved, sorted. */
export function unapproved(permissions: readonly string[], approved: readonly string[]): readonly string[] {
  return permissions.filter((permission) => !approved.includes(permission));
}
