import type { ApplicationId, Secret } from '@bulkhead/base';
import type { TenantTx } from '@bulkhead/postgres';
import type { PageModule } from '@bulkhead/protocol';
import { openInstall, shownModules } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';

/** An install whose pages can be shown: enabled, in an Application that is active. */
export interface ShownInstall {
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  readonly appKey: string;
  readonly appName: string;
  readonly baseUrl: string;
  /** False for an App that wants no tokens. */
  readonly isSigned: boolean;
  readonly sharedSecret: Secret;
  readonly modules: readonly PageModule[];
}

/** Null where the App is not installed, or not enabled, or the Application is off. */
export async function openShownInstall(tx: TenantTx, vault: Vault, appKey: string, now: Date): Promise<ShownInstall | null> {
  const { applicationId } = tx;
  const opened = await openInstall(tx, vault, { applicationId, appKey, now });
  if (opened === null) return null;
  const { install, secrets } = opened;
  const { baseUrl, descriptor, clientKey } = install;
  const [sharedSecret] = secrets;
  if (install.status !== 'enabled' || baseUrl === null || descriptor === null || sharedSecret === undefined) return null;
  return {
    applicationId,
    clientKey,
    appKey,
    appName: descriptor.name ?? appKey,
    baseUrl,
    isSigned: descriptor.authentication.type === 'jwt',
    sharedSecret,
    modules: shownModules(install),
  };
}
