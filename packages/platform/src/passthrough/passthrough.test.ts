import { createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { type ApplicationId, Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccountServer, accountServer } from '../../test/account-server.ts';
import { rotating, sendJson, type TokenEndpoint, tokenEndpoint } from '../../test/token-endpoint.ts';

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly raw: readonly string[];
  readonly body: string;
}

interface Upstream {
  readonly url: string;
  readonly seen: Seen[];
  answer: (seen: Seen, response: ServerResponse, message: IncomingMessage) => void;
  close: () => Promise<void>;
}

async function upstreamServer(): Promise<Upstream> {
  const upstream: Upstream = { url: '', seen: [], answer: (_seen, response) => sendJson(response, 200, { ok: true }), close: async () => undefined };
  const server: Server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('error', () => undefined);
    message.on('end', () => {
      const seen = { method: message.method ?? '', target: message.url ?? '', headers: message.headers, raw: message.rawHeaders, body: Buffer.concat(parts).toString() };
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

let world: AccountServer;
let upstream: Upstream;
let other: Upstream;
let endpoint: TokenEndpoint;
let application: ApplicationId;
let account: number;
let key: Record<string, string>;

beforeAll(async () => {
  world = await accountServer();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  [upstream, other, endpoint] = await Promise.all([upstreamServer(), upstreamServer(), tokenEndpoint()]);
  application = await world.application();
  key = world.apiKey(application);
  await world.addService(application, {
    id: 'harbour',
    friendly_name: 'Harbour',
    auth: { type: 'oauth2', authorization_endpoint: `${endpoint.url}/authorize`, token_endpoint: `${endpoint.url}/token` },
    api: { base_url: `${upstream.url}/api` },
  });
  account = await world.addAccount(application, 'harbour', { accessToken: new Secret('access-1'), refreshToken: new Secret('refresh-1'), kept: {} });
});
afterEach(async () => {
  await Promise.all([upstream.close(), other.close(), endpoint[Symbol.asyncDispose]()]);
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly raw: readonly string[];
  readonly body: string;
  /** The error code, where the body is one of ours. */
  readonly code: string | undefined;
}

/** A call whose target goes out byte for byte, as `fetch` would not send it. */
function call(method: string, target: string, headers: Record<string, string | string[]> = key, body?: string | Buffer): Promise<Answer> {
  const { hostname, port } = new URL(world.url);
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

const proxy = (path: string) => `/v1/accounts/${account}/proxy${path}`;
const raw = (uri: string, extra: Record<string, string> = {}) => call('POST', `/v1/accounts/${account}/raw`, { ...key, 'x-kloudless-raw-uri': uri, ...extra });

describe('a proxied call', () => {
  test('passes method, path, query, headers and body as they came, with the account\'s credential', async () => {
    upstream.answer = (_seen, response) => response.writeHead(201, { 'content-type': 'text/plain', 'x-upstream': 'yes', etag: '"1"' }).end('made');
    const answer = await call('PUT', proxy('/files/a%20b%2Fc;v=1?x=1&x=2&y=%C3%A9'), { ...key, 'content-type': 'text/x-note', 'if-match': '"0"', 'idempotency-key': 'k1' }, 'hello');
    expect(answer).toMatchObject({ status: 201, body: 'made', headers: { 'x-upstream': 'yes', etag: '"1"', 'content-type': 'text/plain' } });
    expect(upstream.seen).toHaveLength(1);
    expect(upstream.seen[0]).toMatchObject({ method: 'PUT', target: '/api/files/a%20b%2Fc;v=1?x=1&x=2&y=%C3%A9', body: 'hello' });
    expect(upstream.seen[0]!.headers).toMatchObject({ authorization: 'Bearer access-1', 'content-type': 'text/x-note', 'if-match': '"0"', 'idempotency-key': 'k1', host: upstream.url.slice(7) });
  });

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])('works with %s', async (method) => {
    expect((await call(method, proxy('/x'))).status).toBe(200);
    expect(upstream.seen[0]?.method).toBe(method);
  });

  test.each([204, 206, 304, 404, 409, 418, 429, 500, 503])('hands back status %i as it is', async (status) => {
    upstream.answer = (_seen, response) => response.writeHead(status, { 'x-said': 'it' }).end();
    expect(await call('GET', proxy('/x'))).toMatchObject({ status, headers: { 'x-said': 'it' } });
  });

  test('hands a redirect back and does not follow it', async () => {
    upstream.answer = (_seen, response) => response.writeHead(302, { location: `${other.url}/steal` }).end();
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 302, headers: { location: `${other.url}/steal` } });
    expect(other.seen).toEqual([]);
  });

  test('keeps the bytes of a compressed answer', async () => {
    upstream.answer = (_seen, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from('not really gzip'));
    expect(await call('GET', proxy('/x'), { ...key, 'accept-encoding': 'gzip' })).toMatchObject({ headers: { 'content-encoding': 'gzip' }, body: 'not really gzip' });
  });

  test('sends a body of unknown length on', async () => {
    const answer = await call('POST', proxy('/x'), { ...key, 'transfer-encoding': 'chunked' }, 'chunked body');
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]?.body).toBe('chunked body');
  });

  test('works through a token, and through "me"', async () => {
    const token = world.bearer(application, account);
    expect((await call('GET', proxy('/x'), token)).status).toBe(200);
    expect((await call('GET', '/v1/accounts/me/proxy/x', token)).status).toBe(200);
    expect((await call('GET', `/v1//accounts/${account}//proxy/x`, token)).status).toBe(200);
    expect(upstream.seen.map(({ target }) => target)).toEqual(['/api/x', '/api/x', '/api/x']);
  });

  test('of a browser gets our CORS headers, not the upstream\'s, and its origin does not travel', async () => {
    upstream.answer = (_seen, response) => sendJson(response, 200, {}, { 'access-control-allow-origin': 'https://upstream.example' });
    const answer = await call('GET', proxy('/x'), { ...key, origin: 'https://app.example', referer: 'https://app.example/page' });
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('origin');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('referer');
  });
});

describe('what a caller must not reach', () => {
  test('another Application\'s account answers exactly like a missing one', async () => {
    const stranger = world.apiKey(await world.application());
    const [foreign, missing] = [await call('GET', proxy('/x'), stranger), await call('GET', '/v1/accounts/123456789012/proxy/x', stranger)];
    const without = (answer: Answer) => answer.body.replace(/"id":"[^"]+"/, '');
    expect(foreign.status).toBe(404);
    expect(without(foreign)).toBe(without(missing));
    expect(upstream.seen).toEqual([]);
  });

  test('another account of the same Application is nothing to a token', async () => {
    const second = await world.addAccount(application, 'harbour', { accessToken: new Secret('access-2'), kept: {} });
    expect((await call('GET', proxy('/x'), world.bearer(application, second))).status).toBe(404);
    expect((await call('GET', '/v1/accounts/me/proxy/x', key)).status).toBe(404);
    expect(upstream.seen).toEqual([]);
  });

  test('a switched-off account', async () => {
    await world.database.database.withTenant(application, (tx) => tx.execute(sql`update accounts set active = false where application_id = ${application}`));
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 403, code: 'passthrough.account_inactive' });
  });

  test('an account whose service was removed, although the catalogue might have the name', async () => {
    await world.database.database.withTenant(application, (tx) => tx.execute(sql`delete from custom_services where application_id = ${application}`));
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 409, code: 'passthrough.service_gone' });
  });
});

describe('P1: the credential goes to the service\'s scheme, host and port', () => {
  const elsewhere = (): string[] => {
    const { host, port } = new URL(other.url);
    return [
      `/@${host}/`, `//${host}/`, `///${host}/`, `/\\${host}/`, `/\\\\${host}/`, `/%5C%5C${host}/`, `/..//${host}/`, `/../../../${host}`, `/%2e%2e/%2e%2e//${host}`,
      `/%252e%252e/x`, `/http://${host}/`, `/:${port}/`, `/.${host}/`, `/?@${host}/`, `/?url=${other.url}`, `/;@${host}/`, `/%00@${host}`, `/%0d%0aHost:%20${host}`,
      `/x%23@${host}`, `/${encodeURIComponent(other.url)}`, `/%2F%2F${host}`, `/%ff%fe`, `/..;/..;/x`, `/.%2e/.%2e/`, `/%c0%ae%c0%ae/`, `//${host}@${host}/`,
    ];
  };

  test('whatever path is proxied', async () => {
    for (const path of elsewhere()) {
      const before = upstream.seen.length;
      const answer = await call('GET', proxy(path));
      expect([200, 400, 404], path).toContain(answer.status);
      if (answer.status === 200) {
        expect(upstream.seen[before]?.target, path).toBe(`/api${path}`);
        expect(upstream.seen[before]?.headers.host, path).toBe(upstream.url.slice(7));
      } else {
        expect(upstream.seen.length, path).toBe(before);
      }
    }
    expect(other.seen).toEqual([]);
    expect(upstream.seen.length).toBeGreaterThan(5);
  });

  test('whatever address /raw is given', async () => {
    const { host, port } = new URL(other.url);
    const mine = new URL(upstream.url);
    const absolute = [
      other.url, `${other.url}/api/x`, `http://${host}`, `https://${mine.host}/api/x`, `${upstream.url}@${host}/`, `http://user:pass@${mine.host}/`, `http://${mine.hostname}:${port}/`,
      `${upstream.url}.evil.example/`, `${upstream.url}0/`, `http:/${host}/`, `http:${host}`, `//${host}/`, `http:\\\\${host}`, `${upstream.url}\\@${host}/`, `file:///etc/passwd`, `javascript:1`,
      `http://[::ffff:127.0.0.1]:${port}/`, `http://0x7f.1:${port}/`, `http://127.1:${port}/`, `HTTP://${host}/`, `${upstream.url}%2F..@${host}`, `\u00a0${other.url}`, `x ${other.url}`, `http://${mine.host}\t@${host}/`,
      `${upstream.url}/api/../../x`, `${upstream.url}/%2e%2e/x`, `${upstream.url}#@${host}`, `api/x`, `@${host}/`, `:${port}/`, `.${host}/`,
    ];
    for (const uri of [...absolute, ...elsewhere()]) {
      const before = upstream.seen.length;
      const answer = await raw(Buffer.from(uri).toString('latin1')).catch((error: unknown) => (error as { code?: string }).code);
      if (typeof answer === 'string') continue; // not a header that Node sends
      if (answer?.status === 200) expect(upstream.seen[before]?.headers.host, uri).toBe(mine.host);
      else expect([400, 404], uri).toContain(answer?.status);
    }
    expect(other.seen).toEqual([]);
    expect((await raw(`${upstream.url}/api/x?y=1`)).status).toBe(200);
    expect(upstream.seen.at(-1)?.target).toBe('/api/x?y=1');
  });

  test('whatever header says otherwise', async () => {
    const { host } = new URL(other.url);
    await call('GET', proxy('/x'), {
      ...key, forwarded: `host=${host}`, 'x-forwarded-host': host, 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https', via: '1.1 me', 'x-real-ip': '1.2.3.4',
      cookie: 'session=1', 'proxy-authorization': 'Basic x', connection: 'close, authorization, x-drop', 'x-drop': '1', 'keep-alive': '5', te: 'trailers', upgrade: 'h2c',
      'x-kloudless-source': 'test', 'sec-fetch-site': 'cross-site', 'x-stays': '1',
    });
    const seen = upstream.seen[0]!;
    for (const name of ['forwarded', 'x-forwarded-host', 'x-forwarded-for', 'x-forwarded-proto', 'via', 'x-real-ip', 'cookie', 'proxy-authorization', 'te', 'upgrade', 'x-kloudless-source', 'sec-fetch-site'])
      expect(seen.headers, name).not.toHaveProperty(name);
    expect(seen.headers).toMatchObject({ host: upstream.url.slice(7), authorization: 'Bearer access-1', 'x-stays': '1' });
    expect(JSON.stringify(seen.raw)).not.toContain(key['authorization']);
  });

  test('for any path that can be written', async () => {
    const piece = fc.constantFrom('/', '//', '.', '..', '%2e', '%2F', '%5c', '\\', '@', ':', '?', '&', '=', ';', '%', '%00', '%25', 'a', '127.0.0.1', 'http://', '~', '!', "'", '"', '<', '|', '^', '{', '%C3%A9');
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        const path = `/${pieces.join('')}`;
        const before = upstream.seen.length;
        const answer = await call('GET', proxy(path));
        if (answer.status !== 200) return answer.status === 400 && upstream.seen.length === before;
        return upstream.seen[before]?.target === `/api${path}` && upstream.seen[before].headers.host === upstream.url.slice(7);
      }),
      { numRuns: 150 },
    );
  });
});

describe('what an answer must not do', () => {
  test('set a cookie or a policy on our domain', async () => {
    upstream.answer = (_seen, response) =>
      sendJson(response, 200, {}, { 'set-cookie': 'a=1', 'strict-transport-security': 'max-age=1', 'clear-site-data': '"*"', 'alt-svc': 'h3=":1"', 'keep-alive': 'timeout=9', 'x-stays': '1' });
    const { headers } = await call('GET', proxy('/x'));
    for (const name of ['set-cookie', 'strict-transport-security', 'clear-site-data', 'alt-svc']) expect(headers, name).not.toHaveProperty(name);
    expect(headers).toMatchObject({ 'x-stays': '1', 'x-request-id': expect.any(String) });
  });

  test('look whole when it is cut', async () => {
    upstream.answer = (_seen, response, message) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('only a part', () => message.socket.destroy());
    };
    await expect(call('GET', proxy('/x'))).rejects.toThrow(/aborted|hang up|reset/i);
  });

  test('be smuggled in a second request', async () => {
    const { port } = new URL(world.url);
    const socket = connect(Number(port), '127.0.0.1');
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (part) => (text += part.toString()));
      socket.on('close', () => resolve(text));
      socket.write(
        `POST ${proxy('/a')} HTTP/1.1\r\nHost: x\r\nAuthorization: ${key['authorization']}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: y\r\n\r\n`,
      );
    });
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect(upstream.seen).toEqual([]);
  });
});

describe('an upstream that', () => {
  test('is away answers 502', async () => {
    await upstream.close();
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 502, code: 'egress.unreachable' });
  });

  test('is left by its caller is left by us', async () => {
    const gone = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    upstream.answer = (_seen, response) => {
      response.writeHead(200);
      response.write('first');
      response.on('close', () => gone.resolve());
      reached.resolve();
    };
    const { hostname, port } = new URL(world.url);
    const outgoing = httpRequest({ host: hostname, port, path: proxy('/x'), headers: key }, (message) => message.once('data', () => outgoing.destroy()));
    outgoing.on('error', () => undefined);
    outgoing.end();
    await reached.promise;
    await gone.promise;
  });

  test('answers 401 gets the renewed credential once, body and all', async () => {
    upstream.answer = (seen, response) => (seen.headers.authorization === 'Bearer access-2' ? sendJson(response, 200, { body: seen.body }) : sendJson(response, 401, { error: 'expired' }));
    expect(await call('POST', proxy('/x'), { ...key, 'content-length': '5' }, 'again')).toMatchObject({ status: 200, body: '{"body":"again"}' });
    expect(upstream.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer access-1', 'Bearer access-2']);
    expect(endpoint.requests).toHaveLength(1);
  });

  test('answers 401 to the renewed credential too is believed', async () => {
    upstream.answer = (seen, response) => sendJson(response, 401, { said: seen.headers.authorization }, { 'www-authenticate': 'Bearer realm="up"' });
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 401, body: '{"said":"Bearer access-2"}' });
    expect(upstream.seen).toHaveLength(2);
  });

  test('answers 401 while nothing can be renewed is believed, its whole answer passed on', async () => {
    endpoint.answer = (_request, response) => sendJson(response, 503, {});
    const long = 'x'.repeat(300_000);
    upstream.answer = (_seen, response) => response.writeHead(401, { 'x-why': 'because' }).end(long);
    const answer = await call('GET', proxy('/x'));
    expect(answer).toMatchObject({ status: 401, headers: { 'x-why': 'because' } });
    expect(answer.body).toBe(long);
    expect(upstream.seen).toHaveLength(1);
  });

  test('answers 401 to a long body gets it once; the next call has the renewed credential', async () => {
    upstream.answer = (seen, response) => sendJson(response, seen.headers.authorization === 'Bearer access-2' ? 200 : 401, {});
    const body = Buffer.alloc(200_000, 'x');
    expect((await call('POST', proxy('/x'), { ...key, 'content-length': String(body.byteLength) }, body)).status).toBe(401);
    expect(upstream.seen).toHaveLength(1);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    await expect.poll(async () => (await call('POST', proxy('/x'), { ...key, 'content-length': String(body.byteLength) }, body)).status).toBe(200);
    expect(upstream.seen.at(-1)?.body.length).toBe(200_000);
  });
});

describe('a broken account', () => {
  test('answers 401 service_unauthorized with the way out, and shows as broken', async () => {
    endpoint.answer = (_request, response) => sendJson(response, 400, { error: 'invalid_grant' });
    upstream.answer = (_seen, response) => sendJson(response, 401, {});
    const answer = await call('GET', proxy('/x'));
    expect(answer).toMatchObject({ status: 401, code: 'passthrough.account_broken' });
    expect(answer.body).toContain(`/v1/accounts/${account}/reconnect`);
    expect(JSON.parse(answer.body)).toMatchObject({ error_code: 'service_unauthorized' });
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 401, code: 'passthrough.account_broken' });
    expect(upstream.seen).toHaveLength(1);
    expect(JSON.parse((await call('GET', `/v1/accounts/${account}`)).body)).toMatchObject({ health: 'broken', broken_reason: 'invalid_grant' });
    const entries = await world.database.database.tenantQuery<{ action: string }>(application, sql`select action from audit_entries where application_id = ${application} and action = 'account.broken'`);
    expect(entries).toHaveLength(1);
  });
});

describe('placement of the credential', () => {
  async function connected(auth: Parameters<AccountServer['addService']>[1]['auth'], tokens: Parameters<AccountServer['addAccount']>[2]): Promise<void> {
    await world.addService(application, { id: 'lantern', friendly_name: 'Lantern', auth, api: { base_url: upstream.url } });
    account = await world.addAccount(application, 'lantern', tokens);
  }

  test('in a header: the caller\'s header of that name does not travel', async () => {
    await connected({ type: 'api_key', in: 'header', name: 'X-Api-Key' }, { apiKey: new Secret('lantern-key') });
    await call('GET', proxy('/x'), { ...key, 'X-API-KEY': 'mine' });
    expect(upstream.seen[0]?.raw.filter((each) => each.toLowerCase() === 'x-api-key')).toHaveLength(1);
    expect(upstream.seen[0]?.headers['x-api-key']).toBe('lantern-key');
  });

  test('in the query: the caller\'s parameter of that name does not travel, however it is written', async () => {
    await connected({ type: 'api_key', in: 'query', name: 'api_key' }, { apiKey: new Secret('lantern key') });
    await call('GET', proxy("/x?q='1'"));
    await call('GET', proxy('/x?api_key=mine&q=1&api%5Fkey=mine'));
    expect(upstream.seen[0]?.target).toBe("/x?q='1'&api_key=lantern%20key");
    expect(new URL(upstream.seen[1]!.target, upstream.url).searchParams.getAll('api_key')).toEqual(['lantern key']);
    expect(upstream.seen[1]?.target).not.toContain('mine');
  });

  test('as user name and password', async () => {
    await connected({ type: 'basic' }, { username: 'ann', password: new Secret('pässword') });
    await call('GET', proxy('/x'));
    expect(Buffer.from(String(upstream.seen[0]?.headers.authorization).slice(6), 'base64').toString()).toBe('ann:pässword');
  });
});

describe('limits of a token (RFC 9396)', () => {
  const limited = (detail: { methods?: string[]; path_prefix?: string; origins?: string[] }) => world.bearer(application, account, { authorizationDetails: [{ type: 'passthrough', ...detail }] });

  test.each([
    ['GET', '/files', 200], ['GET', '/files/a', 200], ['GET', '/files/a%2Fb', 200], ['GET', '/files?x=/other', 200],
    ['GET', '/files-old', 403], ['GET', '/', 403], ['GET', '/other', 403], ['GET', '//files', 403], ['GET', '/FILES', 403],
    ['GET', '/files/../other', 400], ['GET', '/files/%2e%2e/other', 400], ['GET', '/files/%252e%252e/other', 400], ['GET', '/files/..%2Fother', 400], ['GET', '/files%5C..%5Cother', 400],
  ])('%s %s under path_prefix /files answers %i', async (method, path, status) => {
    expect((await call(method, proxy(path), limited({ path_prefix: '/files' }))).status).toBe(status);
    expect(upstream.seen.length).toBe(status === 200 ? 1 : 0);
  });

  test('hold for /raw by its whole address too', async () => {
    const token = limited({ path_prefix: '/files' });
    const ask = async (uri: string) => (await call('POST', `/v1/accounts/${account}/raw`, { ...token, 'x-kloudless-raw-uri': uri })).status;
    expect(await ask('/files/a')).toBe(200);
    expect(await ask('/api/files/a')).toBe(200);
    expect(await ask(`${upstream.url}/api/files/a`)).toBe(200);
    expect(await ask(`${upstream.url}/files/a`)).toBe(403);
    expect(await ask(`${upstream.url}/api/other`)).toBe(403);
    expect(await ask('/other')).toBe(403);
  });

  test('on methods hold for the method that arrives, and no header overrides it', async () => {
    const token = limited({ methods: ['GET'] });
    expect((await call('DELETE', proxy('/x'), token)).status).toBe(403);
    expect((await call('POST', `/v1/accounts/${account}/raw`, { ...token, 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'DELETE' })).status).toBe(403);
    expect((await call('GET', proxy('/x'), { ...token, 'x-http-method-override': 'DELETE', 'x-rewrite-url': '/admin' })).status).toBe(200);
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-http-method-override');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-rewrite-url');
    expect((await call('GET', proxy('/x'), { ...key, 'x-http-method-override': 'DELETE' })).status).toBe(200);
    expect(upstream.seen[1]?.headers).toHaveProperty('x-http-method-override');
  });

  test('on origins hold for the Origin header, which must be there', async () => {
    const token = limited({ origins: ['https://app.example'] });
    expect((await call('GET', proxy('/x'), { ...token, origin: 'https://app.example' })).status).toBe(200);
    expect((await call('GET', proxy('/x'), { ...token, origin: 'https://app.example.evil' })).status).toBe(403);
    expect((await call('GET', proxy('/x'), token)).status).toBe(403);
  });

  test('by a scope that only reads, or that is identity alone', async () => {
    const reads = world.bearer(application, account, { scope: 'harbour:normal.raw.read:kloudless' });
    expect((await call('GET', proxy('/x'), reads)).status).toBe(200);
    expect((await call('POST', proxy('/x'), reads)).status).toBe(403);
    expect((await call('GET', proxy('/x'), world.bearer(application, account, { scope: 'harbour:normal.basic.default:kloudless' }))).status).toBe(403);
  });

  test('keep a token from changing or ending the account', async () => {
    const token = limited({ methods: ['GET', 'DELETE', 'PATCH'] });
    expect((await call('DELETE', `/v1/accounts/${account}`, token)).status).toBe(403);
    expect((await call('PATCH', `/v1/accounts/${account}`, { ...token, 'content-type': 'application/json' }, '{}')).status).toBe(403);
    expect((await call('GET', `/v1/accounts/${account}`, token)).status).toBe(200);
  });
});

describe('Kloudless\'s /raw', () => {
  test('takes address, method and headers from X-Kloudless-Raw-*, adds the query, passes the body', async () => {
    const answer = await call(
      'POST',
      `/v1/accounts/${account}/raw/?page=2`,
      { ...key, 'x-kloudless-raw-uri': '/files?x=1', 'x-kloudless-raw-method': 'PATCH', 'x-kloudless-raw-headers': '{"X-Extra":"1","Content-Type":"application/merge-patch+json","Authorization":"Bearer mine","Host":"evil","Content-Length":"1"}', 'content-type': 'application/json' },
      '{"a":1}',
    );
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]).toMatchObject({ method: 'PATCH', target: '/api/files?x=1&page=2', body: '{"a":1}' });
    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-extra': '1', 'content-type': 'application/merge-patch+json', authorization: 'Bearer access-1', host: upstream.url.slice(7) });
    expect(Object.keys(upstream.seen[0]!.headers).filter((name) => name.startsWith('x-kloudless'))).toEqual([]);
  });

  test('is a GET where no method is given', async () => {
    await raw('/files');
    expect(upstream.seen[0]?.method).toBe('GET');
  });

  test.each([
    ['no address', {}],
    ['a method that is none', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'GET /x' }],
    ['CONNECT', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'CONNECT' }],
    ['TRACE', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'TRACE' }],
    ['headers that are no JSON', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': 'X: 1' }],
    ['a header with a line end', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': '{"x":"1\\r\\ny: 2"}' }],
    ['a header name with a colon', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': '{"x:y":"1"}' }],
  ])('refuses %s', async (_name, headers) => {
    expect((await call('POST', `/v1/accounts/${account}/raw`, { ...key, ...headers })).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });
});

test('rotating() is the control of these tests: an expired token is renewed before the call', async () => {
  endpoint.answer = rotating();
  account = await world.addAccount(application, 'harbour', { accessToken: new Secret('access-1'), refreshToken: new Secret('refresh-1'), expiresAt: world.clock.now() - 1, kept: {} });
  await call('GET', proxy('/x'));
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer access-2');
});
