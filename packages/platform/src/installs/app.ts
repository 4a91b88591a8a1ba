import type { AppDescriptor, AppScope, PageModuleType } from '@bulkhead/protocol';

/** An App that an organization has registered, by the descriptor it had then. */
export interface App {
  readonly organizationId: string;
  readonly appKey: string;
  readonly name: string;
  readonly baseUrl: string;
  readonly descriptor: AppDescriptor;
  /** Null: the descriptor was given, not fetched. */
  readonly descriptorUrl: string | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

/** A webhook that an App has added to an install; `key` names it there. */
export interface DynamicWebhook {
  readonly key: string;
  readonly event: string;
  readonly url: string;
  /** The App wants to be called, and to ask for itself. */
  readonly excludeBody?: boolean;
}

/** A module that is shown, as the App gave it; checked as in a descriptor. */
export interface DynamicPageModule {
  readonly key: string;
  readonly [field: string]: unknown;
}

/** Types of modules that an App may add while it runs; the pages of its set-up are of the descriptor. */
export type DynamicModuleType = 'webhooks' | Exclude<PageModuleType, 'configurePage' | 'postInstallPage'>;

export type DynamicModules = { readonly webhooks?: readonly DynamicWebhook[] } & {
  readonly [Type in Exclude<DynamicModuleType, 'webhooks'>]?: readonly DynamicPageModule[];
};

export type InstallStatus = 'enabled' | 'disabled' | 'uninstalled';

/** An App in an Application. `clientKey` names the pair of them; it outlives refused installs, and uninstalls for 30 days. */
export interface AppInstall {
  readonly clientKey: string;
  readonly appKey: string;
  readonly status: InstallStatus;
  /** As of the last install that the App accepted; null before the first. */
  readonly baseUrl: string | null;
  readonly descriptor: AppDescriptor | null;
  readonly scopes: readonly AppScope[];
  /** What the App has added while it runs, beside its descriptor. */
  readonly dynamicModules: DynamicModules;
  readonly generation: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly installedAt: Date | null;
  readonly uninstalledAt: Date | null;
}
