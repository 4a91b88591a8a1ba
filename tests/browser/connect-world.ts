import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Secret, silentLog, systemClock } from '@bulkhead/base';
import { type DemoServices, startDemoServices } from '@bulkhead/demo';
import { claimKeys, createPlatform, EnvironmentKeys, type Platform, prepareFirstOrganization } from '@bulkhead/platform';
import { launchBrowser, type TestDatabase, testDatabase } from '@bulkhead/testkit';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
type Context = Awaited<ReturnType<Browser['newContext']>>;
export type Tab = Awaited<ReturnType<Context['newPage']>>;

const sdkFolder = join(dirname(createRequire(import.meta.url).resolve('@kloudless/authenticator/package.json')), 'build');

/** The page of a company that uses the browser SDK, unmodified; and the end of its redirects. */
const COMPANY_PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Company</title><link rel="icon" href="data:,"></head>
<body><button id="connect">Connect</button><pre id="result"></pre><script src="/authenticator.js"></script><script>
window.results = [];
window.prepare = (baseUrl, options) => {
  window.Kloudless.auth.setGlobalOptions({ baseUrl });
  window.Kloudless.auth.authenticator(document.getElementById('connect'), options, (result) => window.results.push(result));
};
</script></body></html>`;

export interface Application {
  readonly id: string;
  readonly apiKey: string;
}

/** A platform (behind TLS if asked), the demo's services, a company's web page, and a real browser. */
export class BrowserWorld implements AsyncDisposable {
  readonly platform: Platform;
  readonly services: DemoServices;
  readonly browser: Browser;
  /** Public URL of the platform. */
  readonly url: string;
  /** Origin of the company's page. */
  readonly company: string;
  readonly #closing: readonly (() => Promise<void>)[];
  readonly #metaToken: string;
  readonly #port: number;

  private constructor(fields: {
    platform: Platform;
    services: DemoServices;
    browser: Browser;
    url: string;
    company: string;
    metaToken: string;
    port: number;
    closing: readonly (() => Promise<void>)[];
  }) {
    this.platform = fields.platform;
    this.services = fields.services;
    this.browser = fields.browser;
    this.url = fields.url;
    this.company = fields.company;
    this.#metaToken = fields.metaToken;
    this.#port = fields.port;
    this.#closing = fields.closing;
  }

  static async create(options: { readonly tls: boolean; readonly egressAllow?: readonly string[] }): Promise<BrowserWorld> {
    const database: TestDatabase = await testDatabase();
    const services = await startDemoServices({ log: silentLog });
    const proxy: TlsProxy | null = options.tls ? await startTlsProxy() : null;
    const keys = new EnvironmentKeys([randomBytes(32)]);
    await claimKeys(database.database, keys, new Date());
    const platform = await createPlatform({
      db: database.database,
      keys,
      clock: systemClock,
      log: silentLog,
      host: '127.0.0.1',
      publicUrl: proxy?.origin ?? null,
      egressAllow: [...services.egressAllow, ...(options.egressAllow ?? [])],
      trustProxy: [],
      rateLimits: { api: null, passthrough: null, oauth: null, meta: null, webtrigger: null },
    });
    const metaToken = `meta-token-of-this-test-${randomBytes(16).toString('hex')}`;
    await prepareFirstOrganization(database.database, new Secret(metaToken), new Date());
    const port = proxy === null ? Number(new URL(await platform.listen(0)).port) : await platform.server.listen(0, '127.0.0.1');
    proxy?.forwardTo(port);
    const company = await startCompany();
    const browser = await launchBrowser();
    const closing = [
      () => browser.close(),
      () => closeServer(company.server),
      () => platform.close(),
      async () => proxy?.close(),
      () => services.close(),
      () => database.close(),
    ];
    return new BrowserWorld({ platform, services, browser, url: platform.publicUrl(), company: company.origin, metaToken, port, closing });
  }

  /** A browser of one person: cookies of its own, and a record of what its pages complained about. */
  async person(options: Parameters<Browser['newContext']>[0] = {}): Promise<{ context: Context; tab: Tab; complaints: string[] }> {
    const context = await this.browser.newContext({ ignoreHTTPSErrors: true, ...options });
    const complaints: string[] = [];
    context.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    context.on('weberror', (error) => complaints.push(error.error().message));
    return { context, tab: await context.newPage(), complaints };
  }

  async meta(method: string, path: string, body?: unknown): Promise<{ status: number; json: Record<string, never> }> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/v1/meta${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#metaToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { status: answer.status, json: text === '' ? {} : JSON.parse(text) };
  }

  /** A call with an Application's API key, as the company's server makes it. */
  async call(
    method: string,
    path: string,
    application: Application,
    body?: unknown,
  ): Promise<{ status: number; json: Record<string, never> }> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      method,
      headers: { authorization: `APIKey ${application.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: JSON.parse(await answer.text()) };
  }

  /** An Application with Harbour Files (OAuth) and, if asked, Lantern Notes (API key). */
  async application(
    fields: Record<string, unknown> = {},
    services: readonly ('harbour' | 'lantern')[] = ['harbour'],
  ): Promise<Application> {
    const created = (
      await this.meta('POST', '/applications', { name: 'Northwind Planner', redirect_uris: [`${this.company}/done`], ...fields })
    ).json as unknown as { id: string; default_api_key: { key: string } };
    for (const service of services) await this.#add(created.id, service);
    return { id: created.id, apiKey: created.default_api_key.key };
  }

  async #add(applicationId: string, service: 'harbour' | 'lantern'): Promise<void> {
    const { upstream } = this.services;
    if (service === 'lantern') {
      const auth = { type: 'api_key', in: 'header', name: 'X-Api-Key' };
      await this.meta('POST', `/applications/${applicationId}/services`, {
        id: 'lantern',
        friendly_name: 'Lantern Notes',
        auth,
        api: { base_url: upstream.notesBaseUrl },
        identity: { url: '/me', id: '/id', name: '/name' },
      });
      return;
    }
    const auth = { type: 'oauth2', issuer: upstream.issuer, scopes: ['openid', 'files:read'] };
    await this.meta('POST', `/applications/${applicationId}/services`, {
      id: 'harbour',
      friendly_name: 'Harbour Files',
      auth,
      api: { base_url: upstream.apiBaseUrl },
      identity: { url: '/me', id: '/id', name: '/name' },
    });
    const client = { client_id: `client-${applicationId}`, client_secret: randomBytes(24).toString('hex') };
    const key = (await this.meta('POST', `/applications/${applicationId}/oauth_keys`, { service: 'harbour', ...client }))
      .json as unknown as { callback_url: string };
    upstream.registerClient({ ...client, client_name: 'Northwind Planner', redirect_uris: [key.callback_url] });
  }

  /** Address that begins a code flow to the company's page. */
  startUrl(application: Application, parameters: Record<string, string> = {}): { url: string; verifier: string } {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const query = new URLSearchParams({
      client_id: application.id,
      response_type: 'code',
      redirect_uri: `${this.company}/done`,
      state: 's',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...parameters,
    });
    return { url: `${this.url}/v1/oauth?${query.toString()}`, verifier };
  }

  /** Redeems the code in the address of the company's page, as the company's server does. */
  async redeem(application: Application, address: string, verifier: string): Promise<Record<string, unknown>> {
    const code = new URL(address).searchParams.get('code') ?? '';
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: `${this.company}/done`,
      client_id: application.id,
      client_secret: application.apiKey,
      code_verifier: verifier,
    });
    const answer = await fetch(`http://127.0.0.1:${this.#port}/v1/oauth/token`, { method: 'POST', body });
    return (await answer.json()) as Record<string, unknown>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing) await close();
  }
}

async function startCompany(): Promise<{ server: Server; origin: string }> {
  const sdk = readFileSync(join(sdkFolder, 'kloudless-authenticator.js'));
  const server = createServer((request, response) => {
    const isSdk = request.url === '/authenticator.js';
    response.writeHead(200, { 'content-type': isSdk ? 'text/javascript' : 'text/html; charset=utf-8' }).end(isSdk ? sdk : COMPANY_PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
