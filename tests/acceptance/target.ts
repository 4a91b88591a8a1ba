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

/** What is judged: an address and a Meta token, nothing else. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly metaToken: string;
  readonly upstreams: Upstreams;
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
  const url = process.env['BULKHEAD_URL']?.replace(/\/+$/, '');
  if (url !== undefined && url !== '') {
    const metaToken = process.env['BULKHEAD_META_TOKEN'];
    if (!metaToken) throw new Error('BULKHEAD_META_TOKEN: expected the Meta token of the deployment at BULKHEAD_URL.');
    return { url, metaToken, upstreams, [Symbol.asyncDispose]: close };
  }
  const world = await World.create({ egressAllow });
  await world.platform.startWorker();
  return {
    url: world.url,
    metaToken: world.metaToken,
    upstreams,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await close();
    },
  };
}
