import { httpErrors } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { appendUpdated } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import type { AppInstall, InstallStatus } from './app.ts';
import { uninstallRows, changeStatus, findInstall } from './install-store.ts';
import { type LaterEvent, tellLater } from './lifecycle-deliveries.ts';

/** What each change begins from, and what the App hears of it. Told by the deliveries engine: no App can keep a change from happening. */
const CHANGES = {
  enabled: { from: ['disabled'], tells: ['enabled'] },
  disabled: { from: ['enabled'], tells: ['disabled'] },
  uninstalled: { from: ['enabled', 'disabled'], tells: ['uninstalled'] },
} as const satisfies Readonly<Record<InstallStatus, { from: readonly InstallStatus[]; tells: readonly LaterEvent[] }>>;

/**
 * Uninstalls every App of an Application that ends, in the transaction of its end. Each is told, if there is time: with the Application goes
 * what was still to be told.
 */
export async function uninstallAll(tx: TenantTx, parts: { publicUrl: () => string }, now: Date): Promise<void> {
  for (const install of await uninstallRows(tx, tx.applicationId, now)) await tellLater(tx, parts, install, ['uninstalled'], now);
}

/**
 * Enables, disables or uninstalls an App. From the commit on its tokens count, or do not. One that stands there already stays as it is, and
 * hears nothing. Throws `not_found` where the App is not installed.
 */
export async function changeInstall(
  { db, publicUrl }: { db: Database; publicUrl: () => string },
  context: RequestContext<MetaTokenPrincipal>,
  { appKey, to }: { appKey: string; to: InstallStatus },
): Promise<AppInstall> {
  const { applicationId, now } = context;
  return db.withTenant(applicationId, async (tx) => {
    const before = await findInstall(tx, applicationId, appKey);
    const changed = await changeStatus(tx, { applicationId, appKey, from: CHANGES[to].from, to, now });
    if (changed === null) {
      if (before === null) throw httpErrors('not_found');
      await audit(tx, context, { target: appKey, detail: { changed: false } });
      return before;
    }
    await audit(tx, context, { target: appKey, detail: { client_key: changed.clientKey } });
    await appendUpdated(tx, context, ['installs']);
    // An enabled App hears first that it is disabled, as from every host of this protocol.
    const tells: LaterEvent[] = to === 'uninstalled' && before?.status === 'enabled' ? ['disabled', 'uninstalled'] : [...CHANGES[to].tells];
    await tellLater(tx, { publicUrl }, changed, tells, now);
    return changed;
  });
}
