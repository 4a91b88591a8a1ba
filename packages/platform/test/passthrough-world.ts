import { createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApplicationId, Secret } from '@bulkhead/base';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type AccountServer, accountServer } from './account-server.ts';
import { sendJson, type TokenEndpoint, tokenEndpoint } from './token-endpoint.ts';

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly raw: readonly string[];
  readonly body: string;
}

export interface Upstream {
  readonly url: string;
  readonly seen: Seen[];
  answer: (seen: Seen, response: ServerResponse, message: IncomingMessage) => void;
  close: () => Promise<void>;
}

async function upstreamServer(): Promise<Upstream> {
  const upstream: Upstream = {
    url: '',
    seen: [],
    answer: (_seen, response) => sendJson(response, 200, { ok: true }),
    close: async () => undefined,
  };
  const server: Server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('error', () => undefined);
    message.on('end', () => {
      const seen = {
        method: message.method ?? '',
        target: message.url ?? '',
        headers: message.headers,
        raw: message.rawHeaders,
        body: Buffer.concat(parts).toString(),
      };
      upstream.seen.push(seen);
      upstream.answer(seen, response, message);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(upstream, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly raw: readonly string[];
  readonly body: string;
  /** The error code, where the body is one of ours. */
  readonly code: string | undefined;
}

/** What every test of the pass-through finds: an Application, an account of `harbour`, its upstream, and another server. */
export interface PassthroughWorld {
  readonly world: AccountServer;
  readonly upstream: Upstream;
  /** Never to be called. */
  readonly other: Upstream;
  readonly endpoint: TokenEndpoint;
  readonly application: ApplicationId;
  readonly account: number;
  /** Header of an API key. */
  readonly key: Record<string, string>;
  /** A call whose target goes out byte for byte, as `fetch` would not send it. */
  readonly call: (method: string, target: string, headers?: Record<string, string | string[]>, body?: string | Buffer) => Promise<Answer>;
}

/** Registers the hooks that build the world anew for each test and hand it over. */
export function usePassthroughWorld(ready: (made: PassthroughWorld) => void): void {
  let world: AccountServer;
  let made: PassthroughWorld;
  beforeAll(async () => {
    world = await accountServer();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    const [upstream, other, endpoint] = await Promise.all([upstreamServer(), upstreamServer(), tokenEndpoint()]);
    const application = await world.application();
    const key = world.apiKey(application);
    await world.addService(application, {
      id: 'harbour',
      friendly_name: 'Harbour',
      auth: { type: 'oauth2', authorization_endpoint: `${endpoint.url}/authorize`, token_endpoint: `${endpoint.url}/token` },
      api: { base_url: `${upstream.url}/api` },
    });
    const tokens = { accessToken: new Secret('access-1'), refreshToken: new Secret('refresh-1'), kept: {} };
    const account = await world.addAccount(application, 'harbour', tokens);
    made = {
      world,
      upstream,
      other,
      endpoint,
      application,
      account,
      key,
      call: (method, target, headers = key, body) => send(world.url, method, target, headers, body),
    };
    ready(made);
  });
  afterEach(async () => {
    await Promise.all([made.upstream.close(), made.other.close(), made.endpoint[Symbol.asyncDispose]()]);
  });
}

function send(
  url: string,
  method: string,
  target: string,
  headers: Record<string, string | string[]>,
  body?: string | Buffer,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: hostname, port, method, path: target, headers }, (message) => {
      const parts: Buffer[] = [];
      message.on('data', (part: Buffer) => parts.push(part));
      message.on('error', reject);
      message.on('end', () => {
        const text = Buffer.concat(parts).toString();
        let code: string | undefined;
        try {
          code = (JSON.parse(text) as { code?: string }).code;
        } catch {
          code = undefined;
        }
        resolve({ status: message.statusCode ?? 0, headers: message.headers, raw: message.rawHeaders, body: text, code });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
