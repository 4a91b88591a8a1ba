import { randomBytes } from 'node:crypto';
import { Cluster } from './cluster.ts';
import { HostileProvider } from './provider.ts';
import { ServerProcess } from './server-process.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape.
  readonly json: any;
  /** Milliseconds. */
  readonly ms: number;
}

export interface Tenant {
  readonly id: string;
  readonly apiKey: string;
}

/** A caller that waits longer than this has been left hanging. */
const CALL_LIMIT_MS = 90_000;

/** A database, a provider and as many server processes as a test starts, all of them to be broken. */
export class FaultWorld implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly provider: HostileProvider;
  readonly metaToken = `meta-token-of-the-faults-${randomBytes(16).toString('hex')}`;
  readonly #rootKey = randomBytes(32).toString('base64');
  readonly #servers: ServerProcess[] = [];

  private constructor(cluster: Cluster, provider: HostileProvider) {
    this.cluster = cluster;
    this.provider = provider;
  }

  static async create(): Promise<FaultWorld> {
    return new FaultWorld(await Cluster.start(), await HostileProvider.start());
  }

  /** A server process on the shared database, ready. */
  async server(name: string, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const server = await ServerProcess.spawn(name, {
      BULKHEAD_DATABASE_URL: this.cluster.url,
      BULKHEAD_ROOT_KEY: this.#rootKey,
      BULKHEAD_META_TOKEN: this.metaToken,
      BULKHEAD_PUBLIC_URL: 'http://bulkhead.example',
      BULKHEAD_EGRESS_ALLOW: '127.0.0.0/8',
      ...env,
    });
    this.#servers.push(server);
    return server.ready();
  }

  /** The first migrates, the others find it done. */
  async servers(...names: string[]): Promise<ServerProcess[]> {
    const first = await this.server(names[0]!);
    return [first, ...(await Promise.all(names.slice(1).map((name) => this.server(name))))];
  }

  async tenant(server: ServerProcess): Promise<Tenant> {
    const made = await this.meta(server, 'POST', '/applications', { name: 'Faults' });
    if (made.status !== 201) throw new Error(`no Application: ${made.status} ${made.text}`);
    return { id: made.json.id as string, apiKey: made.json.default_api_key.key as string };
  }

  /** A service of the tenant at the provider, with an OAuth key. `byIssuer`: its endpoints are asked for first, by this name. */
  async service(server: ServerProcess, tenant: Tenant, id: string, byIssuer = false): Promise<void> {
    const origin = this.provider.url;
    const endpoints = {
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      revocation_endpoint: `${origin}/revoke`,
    };
    const auth = byIssuer ? { issuer: `${origin}/${id}` } : endpoints;
    const definition = { id, friendly_name: id, auth: { type: 'oauth2', ...auth }, api: { base_url: `${origin}/api` } };
    const made = await this.meta(server, 'POST', `/applications/${tenant.id}/services`, definition);
    const key = { service: id, client_id: 'us', client_secret: 'client-secret' };
    const keyed = await this.meta(server, 'POST', `/applications/${tenant.id}/oauth_keys`, key);
    if (made.status !== 201 || keyed.status !== 201) throw new Error(`no service: ${made.text} ${keyed.text}`);
  }

  /** An account of `family` at the provider whose access token has expired a minute ago. */
  async expiredAccount(
    server: ServerProcess,
    tenant: Tenant,
    service: string,
    family: string,
    options: { readonly graceMs?: number } = {},
  ): Promise<number> {
    return this.account(server, tenant, service, family, { expiry: Math.floor(Date.now() / 1_000) - 60, ...options });
  }

  async account(
    server: ServerProcess,
    tenant: Tenant,
    service: string,
    family: string,
    options: { readonly graceMs?: number; readonly expiry?: number } = {},
  ): Promise<number> {
    const { access, refresh } = this.provider.family(family, options);
    const tokens = { token: access, refresh_token: refresh, token_expiry: options.expiry ?? null };
    const made = await this.call(server, 'POST', '/v1/accounts', tenant.apiKey, { account: family, service, ...tokens });
    if (made.status !== 201 && made.status !== 200) throw new Error(`no account: ${made.status} ${made.text}`);
    return made.json.id as number;
  }

  /** A call to the upstream API through the pass-through. */
  proxied(server: ServerProcess, tenant: Tenant, account: number, path = '/who'): Promise<Answer> {
    return this.call(server, 'GET', `/v1/accounts/${account}/proxy${path}`, tenant.apiKey);
  }

  call(server: Pick<ServerProcess, 'url'>, method: string, path: string, apiKey: string, body?: unknown): Promise<Answer> {
    return send(server.url + path, method, `APIKey ${apiKey}`, body);
  }

  meta(server: Pick<ServerProcess, 'url'>, method: string, path: string, body?: unknown): Promise<Answer> {
    return send(`${server.url}/v1/meta${path}`, method, `Bearer ${this.metaToken}`, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      if (server.hasEnded) continue;
      server.signal('SIGCONT');
      server.signal('SIGKILL');
      await server.ended;
    }
    await this.provider[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}

export async function send(url: string, method: string, authorization: string | null, body?: unknown): Promise<Answer> {
  const startedAt = performance.now();
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(authorization === null ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CALL_LIMIT_MS),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parsed(text), ms: performance.now() - startedAt };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
