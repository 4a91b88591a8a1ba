import type { ApplicationId } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Database, OrganizationTx } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { type AppInstall, findInstall } from '../installs/index.ts';
import { type Deployment, findDeployment } from './deployment-store.ts';
import { approve, findMembership, listMemberships, type Membership, PRODUCTION } from './environment-install-store.ts';
import { hasEnvironment } from './environment-store.ts';
import { functionErrors } from './function-errors.ts';

/** An install in an environment: what runs for it there, and what would if all were approved. */
export interface InstallEnvironment {
  readonly membership: Membership;
  /** False: it is not in it; what stands here is what would be if it joined. */
  readonly joined: boolean;
  readonly running: Deployment | null;
  readonly newest: Deployment | null;
}

type Context = RequestContext<MetaTokenPrincipal>;

/** Throws `not_found` where the App is not installed. */
export async function installEnvironments(db: Database, context: Context, appKey: string): Promise<InstallEnvironment[]> {
  const memberships = await db.withTenant(context.applicationId, async (tx) =>
    listMemberships(tx, (await installed(tx, context.applicationId, appKey)).clientKey),
  );
  return db.withOrganization(context.principal.organizationId, async (tx) => {
    const environments: InstallEnvironment[] = [];
    for (const membership of memberships) environments.push(await seen(tx, appKey, membership, true));
    return environments;
  });
}

/** Also of one that it is not in, as it would be. Throws `not_found` where the App is not installed, or nothing is there. */
export async function installEnvironment(
  db: Database,
  context: Context,
  { appKey, environment }: { appKey: string; environment: string },
): Promise<InstallEnvironment> {
  const membership = await db.withTenant(context.applicationId, async (tx) => {
    const { clientKey } = await installed(tx, context.applicationId, appKey);
    return findMembership(tx, clientKey, environment);
  });
  const found = await db.withOrganization(context.principal.organizationId, (tx) =>
    seen(tx, appKey, membership ?? { environment, approved: [], variablesRevision: '' }, membership !== null),
  );
  if (!found.joined && found.newest === null) throw httpErrors('not_found');
  return found;
}

/**
 * Approves what the newest version of an environment requests for an install, which joins the environment with it. `permissions` names exactly
 * that, so that nobody approves what was not shown. From the commit on that version runs. Throws `not_found`, `function.permissions_differ`.
 */
export async function approveEnvironment(
  db: Database,
  context: Context,
  { appKey, environment, permissions }: { appKey: string; environment: string; permissions: readonly string[] },
): Promise<InstallEnvironment> {
  const { applicationId, principal, now } = context;
  const { organizationId } = principal;
  const of = { organizationId, appKey, environment };
  const newest = await db.withOrganization(organizationId, async (tx) => {
    if (environment !== PRODUCTION && !(await hasEnvironment(tx, of))) throw httpErrors('not_found');
    return findDeployment(tx, of);
  });
  const requested = newest?.permissions ?? [];
  const membership = await db.withTenant(applicationId, async (tx) => {
    const { clientKey } = await installed(tx, applicationId, appKey);
    const named = new Set(permissions);
    if (named.size !== requested.length || !requested.every((permission) => named.has(permission))) {
      const shown = requested.length === 0 ? 'nothing' : requested.join(', ');
      throw functionErrors('function.permissions_differ', { field: 'permissions', params: { requested: shown } });
    }
    await audit(tx, context, {
      target: appKey,
      detail: { client_key: clientKey, environment, version: newest?.version ?? null, permissions: requested },
    });
    return approve(tx, { clientKey, environment, permissions: requested, now });
  });
  return db.withOrganization(organizationId, (tx) => seen(tx, appKey, membership, true));
}

async function seen(tx: OrganizationTx, appKey: string, membership: Membership, joined: boolean): Promise<InstallEnvironment> {
  const of = { organizationId: tx.organizationId, appKey, environment: membership.environment };
  const newest = await findDeployment(tx, of);
  const running = newest === null || !joined ? null : await findDeployment(tx, { ...of, approved: membership.approved });
  return { membership, joined, running, newest };
}

/** Throws `not_found`. */
export async function installed(tx: Parameters<typeof findInstall>[0], applicationId: ApplicationId, appKey: string): Promise<AppInstall> {
  const install = await findInstall(tx, applicationId, appKey);
  if (install === null) throw httpErrors('not_found');
  return install;
}
