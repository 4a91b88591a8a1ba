export { appHostRoutes } from './app-host-routes.ts';
export { appPropertyRoutes } from './app-property-routes.ts';
export { appPropertyValues, findProperty } from './app-property-store.ts';
export { appRecordRoutes } from './app-record-routes.ts';
export { appRecordValues } from './app-record-store.ts';
export { appRoutes } from './app-routes.ts';
export { uninstallAll } from './change-install.ts';
export type { AppInstall } from './app.ts';
export { appWebhookDeliveries, fillVariables } from './app-webhooks.ts';
export { dynamicModuleRoutes } from './dynamic-module-routes.ts';
export { forgetUninstalled } from './forget-uninstalled.ts';
export { installAuthenticator } from './install-authenticator.ts';
export { enterInstall, type InstallTx } from './install-scope.ts';
export { installKeyRoutes } from './install-key-routes.ts';
export { resealInstallKeys } from './install-key-store.ts';
export { InstallKeys } from './install-keys.ts';
export { installRoutes } from './install-routes.ts';
export {
  findAnyInstall,
  findInstall,
  listInstalls,
  type OpenedInstall,
  openInstall,
  pendingSharedSecrets,
  sharedSecrets,
} from './install-store.ts';
export { tenantBaseUrl } from './lifecycle-call.ts';
export { shownModules } from './shown-modules.ts';
export { lifecycleDeliveries } from './lifecycle-deliveries.ts';
export { type InstallKeyRotation, rotateInstallKeys } from './rotate-install-keys.ts';
export { upmRoutes } from './upm-routes.ts';
export { userTokenAuthenticator } from './user-token-authenticator.ts';
export { userTokenRoutes } from './user-token-routes.ts';
