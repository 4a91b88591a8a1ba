/** `atlassian-connect.json`, as far as any host knows it. A module type that is not here goes into `modules` under its name. */
export interface AppDescriptor {
  readonly key: string;
  /** Where the App is; every path in here is relative to it. Lifecycle tokens name it as their audience, character by character. */
  readonly baseUrl: string;
  readonly authentication: { readonly type: 'jwt' };
  readonly name?: string;
  readonly description?: string;
  readonly vendor?: { readonly name: string; readonly url?: string };
  readonly links?: Readonly<Record<string, string>>;
  readonly lifecycle?: Readonly<Partial<Record<'installed' | 'uninstalled' | 'enabled' | 'disabled', string>>>;
  readonly scopes?: readonly AppScope[];
  readonly apiVersion?: number;
  readonly enableLicensing?: boolean;
  readonly apiMigrations?: { readonly gdpr?: boolean; readonly 'signed-install'?: boolean; readonly 'context-qsh'?: boolean };
  readonly modules?: AppModules;
}

export type AppScope =
  | 'NONE'
  | 'READ'
  | 'WRITE'
  | 'DELETE'
  | 'PROJECT_ADMIN'
  | 'SPACE_ADMIN'
  | 'ADMIN'
  | 'ACT_AS_USER'
  | 'ACCESS_EMAIL_ADDRESSES';

export interface AppText {
  readonly value: string;
  readonly i18n?: string;
}

export interface AppPage {
  readonly key: string;
  readonly name: AppText;
  /** May hold context parameters in braces: `/notes?issue={issue.key}`. */
  readonly url: string;
  readonly location?: string;
  readonly weight?: number;
  readonly conditions?: readonly AppCondition[];
  readonly fullPage?: boolean;
  readonly cacheable?: boolean;
}

export interface AppWebhook {
  readonly event: string;
  readonly url: string;
  readonly filter?: string;
  readonly excludeBody?: boolean;
}

export type AppCondition =
  | { readonly condition: string; readonly invert?: boolean; readonly params?: Readonly<Record<string, string>> }
  | { readonly or: readonly AppCondition[] }
  | { readonly and: readonly AppCondition[] };

export interface AppModules {
  readonly webhooks?: readonly AppWebhook[];
  readonly generalPages?: readonly AppPage[];
  readonly adminPages?: readonly AppPage[];
  readonly configurePage?: AppPage;
  readonly postInstallPage?: AppPage;
  readonly webPanels?: readonly (AppPage & { readonly location: string })[];
  readonly [moduleType: string]: unknown;
}

export interface DefineDescriptor extends Omit<AppDescriptor, 'authentication' | 'lifecycle' | 'apiMigrations'> {
  /** Default: `/installed`, `/uninstalled`, `/enabled`, `/disabled`. */
  readonly lifecycle?: AppDescriptor['lifecycle'];
}

const KEY = /^[a-zA-Z0-9-._]{1,80}$/;
const MODULE_KEY = /^[a-zA-Z0-9-]+$/;

/**
 * A descriptor with what the kit needs in it: JWT, signed installs, context tokens that say so, all four lifecycle calls. Throws
 * `RangeError` for what no host takes, with the field.
 */
export function defineDescriptor({ lifecycle, ...said }: DefineDescriptor): AppDescriptor {
  if (!KEY.test(said.key)) throw new RangeError('key: 1 to 80 letters, digits, - . and _');
  const url = URL.parse(said.baseUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || said.baseUrl.length > 200)
    throw new RangeError('baseUrl: an http(s) URL of at most 200 characters, without query and fragment');
  const paths = lifecycle ?? { installed: '/installed', uninstalled: '/uninstalled', enabled: '/enabled', disabled: '/disabled' };
  if (paths.installed === undefined) throw new RangeError('lifecycle.installed: without it no host can install the App');
  for (const [event, path] of Object.entries(paths))
    if (!/^\/[^?#]*$/.test(path)) throw new RangeError(`lifecycle.${event}: a path that begins with /`);
  assertModules(said.modules ?? {});
  return {
    ...said,
    authentication: { type: 'jwt' },
    lifecycle: paths,
    apiMigrations: { gdpr: true, 'signed-install': true, 'context-qsh': true },
  };
}

function assertModules(modules: AppModules): void {
  const seen = new Set<string>();
  for (const [type, value] of Object.entries(modules)) {
    for (const module of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const key = (module as { key?: unknown } | null)?.key;
      if (key === undefined) continue;
      if (typeof key !== 'string' || !MODULE_KEY.test(key)) throw new RangeError(`modules.${type}: a key has letters, digits and -`);
      if (seen.has(key)) throw new RangeError(`modules.${type}: two modules have the key ${key}`);
      seen.add(key);
    }
  }
}
