import type { AppRequest } from './app-request.ts';
import { type Issuer, tenantBaseUrl } from './issuer.ts';
import type { KitSettings } from './kit-settings.ts';
import { type LifecycleCall, type LifecycleEvent, readLifecycleCall } from './lifecycle-call.ts';
import { appRefusals } from './refusals.ts';
import { type InstalledCall, type TenantRecord, withEnabled, withInstall, withoutInstall, withUninstall } from './tenant-record.ts';
import { unauthorized } from './token/find-token.ts';
import { verifyLifecycle } from './token/verify-lifecycle.ts';
import { verifyRequest } from './token/verify-tenant-token.ts';

/** What the App does at a lifecycle call, after the tenant is stored. If it throws at `installed`, the host is told and the install undone. */
export type LifecycleListener = (event: LifecycleEvent, tenant: TenantRecord) => Promise<void>;

/**
 * Verifies a lifecycle call and keeps what it says. May come in any order, twice and in parallel. Throws an `AppRefusal`; else the host
 * is to be answered 204.
 */
export async function receiveLifecycle(
  kit: KitSettings,
  event: LifecycleEvent,
  request: AppRequest,
  listener: LifecycleListener | undefined,
): Promise<void> {
  if (request.method !== 'POST') throw appRefusals('app_kit.malformed', { detail: 'not a POST' });
  const call = readLifecycleCall(request.body, event);
  if (call.key !== kit.key) throw unauthorized('for another App');
  if (event === 'installed') return receiveInstalled(kit, call, request, listener);
  if (event === 'uninstalled') return receiveUninstalled(kit, call, request, listener);
  const { tenant, claims } = await verifyRequest(kit, request);
  if (call.clientKey !== tenant.clientKey) throw unauthorized('the body names another tenant');
  const changed = await kit.store.change(tenant.clientKey, (current) =>
    current === null ? null : withEnabled(current, event === 'enabled', claims.iat),
  );
  if (changed !== null) await listener?.(event, changed);
}

async function receiveInstalled(
  kit: KitSettings,
  call: LifecycleCall,
  request: AppRequest,
  listener: LifecycleListener | undefined,
): Promise<void> {
  const { issuer, claims } = await verifiedFor(kit, call, request);
  const { sharedSecret } = call;
  if (sharedSecret === undefined) throw appRefusals('app_kit.malformed', { field: 'sharedSecret' });
  const baseUrl = tenantBaseUrl(issuer, call.baseUrl ?? '');
  const { clientKey, details } = call;
  const installed: InstalledCall = { clientKey, issuer: issuer.name, baseUrl, sharedSecret, details, iat: claims.iat };
  const known = await kit.store.find(clientKey);
  assertIssuer(known, issuer);
  if (known !== null && known.baseUrl !== baseUrl && !(await kit.allowBaseUrlChange({ clientKey, from: known.baseUrl, to: baseUrl })))
    throw appRefusals('app_kit.base_url_changed');
  let before: TenantRecord | null = null;
  const tenant = await kit.store.change(clientKey, (current) => {
    // Again, with nobody in between: what was allowed is this change and no other one.
    assertIssuer(current, issuer);
    if (current !== null && current.baseUrl !== baseUrl && current.baseUrl !== known?.baseUrl)
      throw appRefusals('app_kit.base_url_changed');
    before = current;
    return withInstall(current, installed, kit.clock.now());
  });
  try {
    if (tenant !== null) await listener?.('installed', tenant);
  } catch (failure) {
    const times = { now: kit.clock.now(), keepMs: kit.keepUninstalledMs };
    await kit.store.change(clientKey, (current) => (current === null ? null : withoutInstall(current, before, installed, times)));
    throw failure;
  }
}

async function receiveUninstalled(
  kit: KitSettings,
  call: LifecycleCall,
  request: AppRequest,
  listener: LifecycleListener | undefined,
): Promise<void> {
  const { issuer, claims } = await verifiedFor(kit, call, request);
  const before = await kit.store.find(call.clientKey);
  // A host may repeat itself, or tell of an install that never came to be here.
  if (before === null) return;
  assertIssuer(before, issuer);
  const tenant = await kit.store.change(call.clientKey, (current) =>
    current === null ? null : withUninstall(current, claims.iat, kit.clock.now(), kit.keepUninstalledMs),
  );
  if (tenant?.state === 'uninstalled' && before.state === 'installed') await listener?.('uninstalled', tenant);
}

async function verifiedFor(kit: KitSettings, call: LifecycleCall, request: AppRequest) {
  const verified = await verifyLifecycle(kit, request);
  if (verified.clientKey !== call.clientKey) throw unauthorized('the body names another tenant');
  return verified;
}

/** A tenant is known by its clientKey at its issuer: another issuer that uses the same one means another tenant. */
function assertIssuer(known: TenantRecord | null, issuer: Issuer): void {
  if (known !== null && known.issuer !== issuer.name) throw unauthorized('a tenant of another issuer');
}
