import { randomUUID } from 'node:crypto';
import type { Secret } from '@bulkhead/base';
import { queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import { type HostRecords, hostRecords } from './host-records.ts';
import type { KitSettings } from './kit-settings.ts';
import { appRefusals } from './refusals.ts';
import type { TenantRecords } from './store/tenant-store.ts';
import { liveSecrets, type TenantRecord } from './tenant-record.ts';
import { UserTokens } from './user-tokens.ts';

const LIFETIME_SECONDS = 180;
const TIMEOUT_MS = 10_000;

export interface TenantFetchInit {
  /** Default: GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Beside a time limit of 10 s. */
  readonly signal?: AbortSignal;
}

/** What an App does at one tenant's host, and keeps of it. */
export interface TenantClient {
  readonly clientKey: string;
  readonly baseUrl: string;
  /** What the App keeps of it by itself, in its own store. */
  readonly records: TenantRecords;
  /** What a Bulkhead host keeps of it for the App, in one collection. */
  hostRecords(collection: string): HostRecords;
  /**
   * Calls the tenant's host as the App: `path` is below the base URL (`/rest/api/3/issue`), or an absolute URL that is. Throws
   * `app_kit.foreign_origin` for any other, before anything is signed. A redirect is answered, never followed.
   */
  fetch(path: string, init?: TenantFetchInit): Promise<Response>;
  /** The same as this user of the host, with a token of theirs (scopes of the descriptor, ACT_AS_USER among them). */
  asUser(accountId: string, scopes?: readonly string[]): Pick<TenantClient, 'fetch'>;
}

export class TenantClients {
  readonly #kit: KitSettings;
  readonly #userTokens: UserTokens;

  constructor(kit: KitSettings) {
    this.#kit = kit;
    this.#userTokens = new UserTokens(kit);
  }

  of(tenant: TenantRecord): TenantClient {
    const { clientKey, baseUrl } = tenant;
    const asApp: TenantClient['fetch'] = (path, init = {}) => this.#asApp(tenant, path, init);
    return {
      clientKey,
      baseUrl,
      records: this.#kit.store.records(clientKey),
      hostRecords: (collection) => hostRecords(asApp, collection),
      fetch: asApp,
      asUser: (accountId, scopes = []) => ({ fetch: (path, init = {}) => this.#asUser(tenant, { accountId, scopes }, path, init) }),
    };
  }

  async #asApp(tenant: TenantRecord, path: string, init: TenantFetchInit): Promise<Response> {
    const url = ownUrl(tenant.baseUrl, path);
    let answer: Response | undefined;
    // A host that lost our answer to `installed` still has the secret before it: 401 is asked again with that.
    for (const { sharedSecret } of liveSecrets(tenant, this.#kit.clock.now()).slice(0, 2)) {
      await answer?.body?.cancel();
      answer = await this.#send(url, init, `JWT ${this.#sign(tenant, url, init.method ?? 'GET', sharedSecret)}`);
      if (answer.status !== 401) return answer;
    }
    if (answer === undefined) throw appRefusals('app_kit.unauthorized', { detail: 'the tenant is uninstalled' });
    return answer;
  }

  async #asUser(
    tenant: TenantRecord,
    user: { readonly accountId: string; readonly scopes: readonly string[] },
    path: string,
    init: TenantFetchInit,
  ): Promise<Response> {
    const url = ownUrl(tenant.baseUrl, path);
    const answer = await this.#send(url, init, `Bearer ${await this.#userTokens.get(tenant, user)}`);
    if (answer.status !== 401) return answer;
    await answer.body?.cancel();
    this.#userTokens.forget(tenant, user);
    return this.#send(url, init, `Bearer ${await this.#userTokens.get(tenant, user)}`);
  }

  #send(url: URL, { method = 'GET', headers = {}, body, signal }: TenantFetchInit, authorization: string): Promise<Response> {
    if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization'))
      throw new TypeError('the kit writes the Authorization header');
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    return this.#kit.fetch(url.href, {
      method,
      headers: { ...headers, authorization },
      redirect: 'manual',
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      ...(body === undefined ? {} : { body }),
    });
  }

  #sign({ clientKey, baseUrl }: TenantRecord, url: URL, method: string, sharedSecret: Secret): string {
    const iat = Math.floor(this.#kit.clock.now() / 1000);
    const qsh = queryStringHash({ method, target: url.pathname + url.search, basePath: new URL(baseUrl).pathname });
    return signConnectJwt(
      { algorithm: 'HS256', key: sharedSecretKey(sharedSecret) },
      // Two equal calls of one second are two tokens, and neither is a replay of the other.
      { iss: this.#kit.key, aud: [clientKey], iat, exp: iat + LIFETIME_SECONDS, qsh, jti: randomUUID() },
    );
  }
}

/**
 * The URL that will be called, exactly as it will be sent: below the tenant's base URL, also after dots and slashes were resolved.
 * Whatever leads elsewhere throws.
 */
function ownUrl(baseUrl: string, path: string): URL {
  const base = new URL(baseUrl);
  const basePath = base.pathname.replace(/\/+$/, '');
  const url = path.startsWith('/') ? URL.parse(base.origin + basePath + path) : URL.parse(path);
  const isOwn =
    url !== null &&
    url.origin === base.origin &&
    url.username === '' &&
    url.password === '' &&
    !/[\\\s\u0000-\u001f\u007f]/.test(path) &&
    // Encoded, too: a router behind the host may decode before it looks.
    !/(^|\/)(\.|%2e){1,2}(?=\/|$|[?#])/i.test(path.split(/[?#]/, 1)[0] ?? '') &&
    (url.pathname === basePath || url.pathname.startsWith(`${basePath}/`));
  if (!isOwn) throw appRefusals('app_kit.foreign_origin');
  url.hash = '';
  return url;
}
