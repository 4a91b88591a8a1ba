import { type LogFields, PlatformError } from '@bulkhead/base';
import type { AppRequest } from './app-request.ts';
import type { AppDescriptor } from './descriptor.ts';
import { type AppKitOptions, kitSettings, type KitSettings } from './kit-settings.ts';
import type { LifecycleEvent } from './lifecycle-call.ts';
import { type LifecycleListener, receiveLifecycle } from './receive-lifecycle.ts';
import { type TenantClient, TenantClients } from './tenant-client.ts';
import type { TenantRecord } from './tenant-record.ts';
import { issueSession, verifySession } from './token/session-token.ts';
import { type RequestRules, verifyContext, verifyRequest, type VerifiedToken } from './token/verify-tenant-token.ts';

/** What is to be sent back. */
export interface AppAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The App's side of Atlassian Connect over plain requests: receives installs, says who calls. Adapters for servers are thin; none of them
 * decides anything.
 */
export interface AppKit {
  readonly key: string;
  readonly settings: KitSettings;
  /** Whether `answer` has one: then its body must be read for it. */
  owns(method: string, rawTarget: string): boolean;
  /** Answers the descriptor and the lifecycle calls; null for every other request. Never throws for what a caller did. */
  answer(request: AppRequest): Promise<AppAnswer | null>;
  /** The answer to a caller for something that was thrown, whose reason is logged; null where it is no refusal of the kit. */
  refusal(thrown: unknown): AppAnswer | null;
  verifyRequest(request: AppRequest, rules?: RequestRules): Promise<VerifiedToken>;
  verifyContext(request: AppRequest): Promise<VerifiedToken>;
  verifySession(request: AppRequest): Promise<VerifiedToken>;
  /** For the App's own page, to be sent back as `Authorization: Bearer …`. */
  issueSession(by: VerifiedToken, lifetimeSeconds?: number): string;
  /** What the App does at this tenant's host: pass the tenant of a verified token. */
  tenant(of: TenantRecord): TenantClient;
  /** The same for work that no request began; null where the tenant is not installed. */
  findTenant(clientKey: string): Promise<TenantClient | null>;
  /** Deletes what belongs to tenants that were uninstalled long enough ago. Answers how many; call it once a day. */
  purge(): Promise<number>;
}

export interface CreateAppKitOptions extends Omit<AppKitOptions, 'key' | 'baseUrl'> {
  readonly descriptor: AppDescriptor;
  /** Where the descriptor is answered, under the base URL. Default: `/atlassian-connect.json`. */
  readonly descriptorPath?: string;
  readonly onLifecycle?: LifecycleListener;
}

const NO_STORE = { 'cache-control': 'no-store' };

export function createAppKit(options: CreateAppKitOptions): AppKit {
  const { descriptor, descriptorPath = '/atlassian-connect.json', onLifecycle } = options;
  const kit = kitSettings({ ...options, key: descriptor.key, baseUrl: descriptor.baseUrl });
  const clients = new TenantClients(kit);
  const text = JSON.stringify(descriptor);
  const events = new Map<string, LifecycleEvent>(
    (['installed', 'uninstalled', 'enabled', 'disabled'] as const).flatMap((event) => {
      const path = descriptor.lifecycle?.[event];
      return path === undefined ? [] : [[path, event] as const];
    }),
  );

  return {
    key: kit.key,
    settings: kit,
    owns: (method, rawTarget) => {
      const path = ownPath(kit, rawTarget);
      return (path === descriptorPath && method === 'GET') || events.has(path);
    },
    async answer(request) {
      const path = ownPath(kit, request.rawTarget);
      if (path === descriptorPath && request.method === 'GET')
        return { status: 200, headers: { ...NO_STORE, 'content-type': 'application/json' }, body: text };
      const event = events.get(path);
      if (event === undefined) return null;
      try {
        await receiveLifecycle(kit, event, request, onLifecycle);
        return { status: 204, headers: NO_STORE, body: '' };
      } catch (thrown) {
        kit.log.warn('lifecycle call refused', { event, ...reasonOf(thrown) });
        return refusalOf(thrown) ?? { status: 500, headers: NO_STORE, body: '' };
      }
    },
    refusal(thrown) {
      const answer = refusalOf(thrown);
      if (answer !== null) kit.log.info('request refused', reasonOf(thrown));
      return answer;
    },
    verifyRequest: (request, rules) => verifyRequest(kit, request, rules),
    verifyContext: (request) => verifyContext(kit, request),
    verifySession: (request) => verifySession(kit, request),
    issueSession: (by, lifetimeSeconds) => issueSession(kit, by, lifetimeSeconds),
    tenant: (of) => clients.of(of),
    async findTenant(clientKey) {
      const tenant = await kit.store.find(clientKey);
      return tenant?.state === 'installed' ? clients.of(tenant) : null;
    },
    purge: () => kit.store.purge(kit.clock.now()),
  };
}

/** The path below the base URL, as sent: it is compared, not decoded, since another spelling is another request. */
function ownPath({ basePath }: KitSettings, rawTarget: string): string {
  const path = rawTarget.split('?', 1)[0] ?? '';
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
}

function refusalOf(thrown: unknown): AppAnswer | null {
  if (!(thrown instanceof PlatformError)) return null;
  const { status, code, publicText, retryAfterSeconds } = thrown;
  return {
    status,
    headers: {
      ...NO_STORE,
      'content-type': 'application/json',
      ...(status === 401 ? { 'www-authenticate': 'JWT' } : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify({ code, message: publicText }),
  };
}

/** For the log. What the kit says itself never holds a value that came in. */
function reasonOf(thrown: unknown): LogFields {
  if (thrown instanceof PlatformError) return { code: thrown.code, ...(thrown.detail === undefined ? {} : { detail: thrown.detail }) };
  // Not of the kit: the App's own listener, or its store.
  return { code: 'unknown', failure: thrown };
}
