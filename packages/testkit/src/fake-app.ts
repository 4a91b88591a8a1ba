import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@bulkhead/base';
import { queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';

/** A lifecycle call as an App got it. */
export interface LifecycleCall {
  readonly path: string;
  readonly authorization: string | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever the host sent.
  readonly body: any;
}

/** What an App answers to a lifecycle call. Default: 204. */
export type AppAnswer = (
  call: LifecycleCall,
) => { readonly status: number; readonly body?: string } | Promise<{ readonly status: number; readonly body?: string }>;

/** An App in-process: serves its descriptor, hears lifecycle calls, and signs calls to its host. */
export interface FakeApp extends AsyncDisposable {
  readonly key: string;
  readonly url: string;
  /** `host:port`, for the list of private addresses that outbound calls may reach. */
  readonly address: string;
  /** What it serves; a test may change it. */
  descriptor: Record<string, unknown>;
  readonly calls: LifecycleCall[];
  answer: AppAnswer;
}

export async function startFakeApp({ key = 'fake-app', scopes = [] as readonly string[] } = {}): Promise<FakeApp> {
  const calls: LifecycleCall[] = [];
  const server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => {
      if (message.url === '/atlassian-connect.json') {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(app.descriptor));
        return;
      }
      const call = {
        path: message.url ?? '',
        authorization: message.headers.authorization,
        body: JSON.parse(Buffer.concat(parts).toString('utf8') || 'null') as unknown,
      };
      calls.push(call);
      void Promise.resolve(app.answer(call)).then(({ status, body }) => response.writeHead(status).end(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const app: FakeApp = {
    key,
    url: `http://${address}`,
    address,
    descriptor: {
      key,
      name: 'A fake App',
      baseUrl: `http://${address}`,
      authentication: { type: 'jwt' },
      lifecycle: { installed: '/installed', enabled: '/enabled', disabled: '/disabled', uninstalled: '/uninstalled' },
      scopes: [...scopes],
    },
    calls,
    answer: () => ({ status: 204 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return app;
}

/** The token of an App for one request to its host. `path` is the target below the host's origin, with the tenant's base path. */
export function appToken(
  { appKey, sharedSecret, clientKey }: { appKey: string; sharedSecret: string; clientKey?: string },
  { method, path, now }: { method: string; path: string; now: number },
  claims: Readonly<Record<string, unknown>> = {},
): string {
  const basePath = /^\/t\/[^/?]+/.exec(path)?.[0] ?? '';
  const iat = Math.floor(now / 1_000);
  return signConnectJwt(
    { algorithm: 'HS256', key: sharedSecretKey(new Secret(sharedSecret)) },
    {
      iss: appKey,
      iat,
      exp: iat + 180,
      qsh: queryStringHash({ method, target: path, basePath }),
      ...(clientKey === undefined ? {} : { aud: [clientKey] }),
      ...claims,
    },
  );
}
