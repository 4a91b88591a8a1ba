import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { type BulkheadServer, bulkheadSecrets, startBulkhead } from '../stack/bulkhead.ts';

const PROCESSES = 4;
const CALLERS_EACH = 25;
/** A token endpoint takes its time. */
const TOKEN_ENDPOINT_MS = 150;

/** A service whose refresh tokens work once, and whose API knows only the newest access token. */
async function startProvider() {
  let calls = 0;
  let newest = '';
  const server = createServer((message, response) => {
    message.resume();
    message.on('end', () => {
      const json = (status: number, body: unknown): void =>
        void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (message.url !== '/token') return json(message.headers.authorization === `Bearer ${newest}` ? 200 : 401, { files: [] });
      calls += 1;
      newest = `access-${calls}-${Math.random()}`;
      const answer = { access_token: newest, refresh_token: `refresh-${calls}`, token_type: 'Bearer', expires_in: 3600 };
      void delay(TOKEN_ENDPOINT_MS).then(() => json(200, answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    url: `http://${address}`,
    calls: () => calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** An Application with an OAuth key of the provider; answers its API key. */
async function prepare(server: BulkheadServer, providerUrl: string): Promise<string> {
  const meta = `Bearer ${server.metaToken}`;
  const application = await server.call('POST', '/v1/meta/applications', meta, { name: 'Customer' });
  const below = `/v1/meta/applications/${application.id}`;
  await server.call('POST', `${below}/services`, meta, {
    id: 'files',
    friendly_name: 'Files',
    apis: ['raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: `${providerUrl}/authorize`,
      token_endpoint: `${providerUrl}/token`,
      scopes: ['files.read'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    api: { base_url: `${providerUrl}/api` },
    identity: { url: `${providerUrl}/api/me`, id: '/id', name: '/name' },
  });
  await server.call('POST', `${below}/oauth_keys`, meta, { service: 'files', client_id: 'client', client_secret: 'secret' });
  return application.default_api_key.key;
}

export const refresh100: Row = {
  id: 'refresh-100',
  what: '100 callers on 4 processes find one credential expired: calls to the token endpoint',
  yardstick: 'one call, 100 answers',
  unit: 'calls',
  reach: { atMost: 1 },
  needs: ['taskset'],
  async measure(lab) {
    await using stack = new AsyncDisposableStack();
    const provider = stack.use(await startProvider());
    const urls = stack.use(await (await lab.cluster()).database('refresh'));
    const secrets = bulkheadSecrets();
    const servers: BulkheadServer[] = [];
    for (let at = 0; at < PROCESSES; at += 1)
      servers.push(stack.use(await startBulkhead(urls, { egressAllow: [provider.address], secrets })));
    const apiKey = await prepare(servers[0]!, provider.url);
    const counts: number[] = [];
    let answers = 0;
    for (let round = 0; round < lab.rounds; round += 1) {
      const account = await servers[0]!.call('POST', '/v1/accounts', `APIKey ${apiKey}`, {
        account: `ada-${round}@files.example`,
        service: 'files',
        token: 'expired',
        refresh_token: `first-${round}`,
        token_expiry: '2020-01-01T00:00:00Z',
      });
      const before = provider.calls();
      const statuses = await Promise.all(
        servers.flatMap(({ url }) =>
          Array.from({ length: CALLERS_EACH }, async () => {
            const answer = await fetch(`${url}/v1/accounts/${account.id}/proxy/list`, { headers: { authorization: `APIKey ${apiKey}` } });
            await answer.arrayBuffer();
            return answer.status;
          }),
        ),
      );
      answers += statuses.filter((status) => status === 200).length;
      counts.push(provider.calls() - before);
    }
    const wanted = lab.rounds * PROCESSES * CALLERS_EACH;
    return {
      value: Math.max(...counts),
      samples: counts.map((ours) => ({ ours, yardstick: 1 })),
      spread: [Math.min(...counts), Math.max(...counts)],
      note: `${answers} of ${wanted} calls answered by the upstream, ${lab.rounds} credentials; the most calls for one.`,
      sound: answers === wanted && counts.every((count) => count === 1),
    };
  },
};
