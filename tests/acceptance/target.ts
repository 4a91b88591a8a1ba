import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { silentLog } from '@bulkhead/base';
import { startDemoServices } from '@bulkhead/demo';
import { World } from '@bulkhead/testkit';

/** Upstream services that this machine runs for the test: one by OAuth, one by API key. */
export interface Upstreams {
  readonly issuer: string;
  readonly filesUrl: string;
  readonly notesUrl: string;
  readonly client: { readonly client_id: string; readonly client_secret: string };
  /** Registers a callback at the OAuth service, as a developer does once by hand. */
  registerRedirectUri(uri: string): void;
  /** API keys of the notes service, and whose account each opens. */
  readonly notesKeys: readonly { readonly key: string; readonly name: string }[];
}

/** An App that this machine runs for the test: it accepts every install, and keeps what it was told. */
export interface InstallableApp {
  readonly url: string;
  readonly installed: readonly Readonly<Record<string, unknown>>[];
}

/** What is judged: an address and a Meta token, nothing else. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly metaToken: string;
  readonly upstreams: Upstreams;
  readonly app: InstallableApp;
  /** Milliseconds, by the clock of what is judged. */
  now(): number;
}

/**
 * The deployment that `BULKHEAD_URL` and `BULKHEAD_META_TOKEN` name, or one started for the test. A named deployment must run on this
 * machine, with `BULKHEAD_EGRESS_ALLOW=127.0.0.0/8`, because it has to reach the upstream services that the test starts.
 */
export async function openTarget(): Promise<Target> {
  const { upstream, egressAllow, close } = await startDemoServices({ log: silentLog });
  const upstreams: Upstreams = {
    issuer: upstream.issuer,
    filesUrl: upstream.apiBaseUrl,
    notesUrl: upstream.notesBaseUrl,
    client: upstream.client,
    registerRedirectUri: (uri) => upstream.registerRedirectUri(uri),
    notesKeys: upstream.notesAccounts,
  };
  const { app, address, closeApp } = await startApp();
  const url = process.env['BULKHEAD_URL']?.replace(/\/+$/, '');
  if (url !== undefined && url !== '') {
    const metaToken = process.env['BULKHEAD_META_TOKEN'];
    if (!metaToken) throw new Error('BULKHEAD_META_TOKEN: expected the Meta token of the deployment at BULKHEAD_URL.');
    return {
      url,
      metaToken,
      upstreams,
      app,
      now: () => Date.now(),
      async [Symbol.asyncDispose]() {
        await closeApp();
        await close();
      },
    };
  }
  const world = await World.create({ egressAllow: [...egressAllow, address] });
  await world.platform.startWorker();
  return {
    url: world.url,
    metaToken: world.metaToken,
    upstreams,
    app,
    now: () => world.clock.now(),
    async [Symbol.asyncDispose]() {
      await closeApp();
      await world[Symbol.asyncDispose]();
      await close();
    },
  };
}

async function startApp(): Promise<{ app: InstallableApp; address: string; closeApp: () => Promise<void> }> {
  const installed: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    void json(request).then(
      (body) => {
        installed.push(body as Record<string, unknown>);
        response.writeHead(204).end();
      },
      () => response.writeHead(400).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const closeApp = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { app: { url: `http://${address}`, installed }, address, closeApp };
}
