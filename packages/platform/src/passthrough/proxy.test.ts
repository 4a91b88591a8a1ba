import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { sendJson } from '../../test/token-endpoint.ts';
import { type PassthroughWorld, usePassthroughWorld } from '../../test/passthrough-world.ts';

let world: PassthroughWorld['world'];
let upstream: PassthroughWorld['upstream'];
let other: PassthroughWorld['other'];
let application: PassthroughWorld['application'];
let account: number;
let key: PassthroughWorld['key'];
let call: PassthroughWorld['call'];

usePassthroughWorld((made) => {
  ({ world, upstream, other, application, account, key, call } = made);
});

const proxy = (path: string) => `/v1/accounts/${account}/proxy${path}`;

describe('a proxied call', () => {
  test("passes method, path, query, headers and body as they came, with the account's credential", async () => {
    upstream.answer = (_seen, response) =>
      response.writeHead(201, { 'content-type': 'text/plain', 'x-upstream': 'yes', etag: '"1"' }).end('made');
    const answer = await call(
      'PUT',
      proxy('/files/a%20b%2Fc;v=1?x=1&x=2&y=%C3%A9'),
      { ...key, 'content-type': 'text/x-note', 'if-match': '"0"', 'idempotency-key': 'k1' },
      'hello',
    );
    expect(answer).toMatchObject({
      status: 201,
      body: 'made',
      headers: { 'x-upstream': 'yes', etag: '"1"', 'content-type': 'text/plain' },
    });
    expect(upstream.seen).toHaveLength(1);
    expect(upstream.seen[0]).toMatchObject({ method: 'PUT', target: '/api/files/a%20b%2Fc;v=1?x=1&x=2&y=%C3%A9', body: 'hello' });
    expect(upstream.seen[0]!.headers).toMatchObject({
      authorization: 'Bearer access-1',
      'content-type': 'text/x-note',
      'if-match': '"0"',
      'idempotency-key': 'k1',
      host: upstream.url.slice(7),
    });
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
    expect(await call('GET', proxy('/x'), { ...key, 'accept-encoding': 'gzip' })).toMatchObject({
      headers: { 'content-encoding': 'gzip' },
      body: 'not really gzip',
    });
  });

  test('sends a body of unknown length on', async () => {
    const answer = await call('POST', proxy('/x'), { ...key, 'transfer-encoding': 'chunked' }, 'chunked body');
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]?.body).toBe('chunked body');
  });

  test('whose small body never ends is closed, and the service is not asked (S1)', async () => {
    const { hostname, port } = new URL(world.url);
    const ask = async (body: string) => {
      const socket = connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (part: Buffer) => (answer += part.toString())).on('error', () => undefined);
      const head = `POST ${proxy('/x')} HTTP/1.1\r\nHost: a\r\nAuthorization: ${key['authorization']}\r\nConnection: close\r\nContent-Length: 4\r\n\r\n`;
      socket.write(head + body);
      await new Promise((resolve) => socket.once('close', resolve));
      return answer;
    };
    expect(await ask('ab')).not.toMatch(/^HTTP\/1.1 200 /);
    expect(upstream.seen).toEqual([]);
    expect(await ask('abcd')).toMatch(/^HTTP\/1.1 200 /);
  });

  test('works through a token, and through "me"', async () => {
    const token = world.bearer(application, account);
    expect((await call('GET', proxy('/x'), token)).status).toBe(200);
    expect((await call('GET', '/v1/accounts/me/proxy/x', token)).status).toBe(200);
    expect((await call('GET', `/v1//accounts/${account}//proxy/x`, token)).status).toBe(200);
    expect(upstream.seen.map(({ target }) => target)).toEqual(['/api/x', '/api/x', '/api/x']);
  });

  test("of a browser gets our CORS headers, not the upstream's, and its origin does not travel", async () => {
    upstream.answer = (_seen, response) => sendJson(response, 200, {}, { 'access-control-allow-origin': 'https://upstream.example' });
    const answer = await call('GET', proxy('/x'), { ...key, origin: 'https://app.example', referer: 'https://app.example/page' });
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('origin');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('referer');
  });
});

describe('what an answer must not do', () => {
  test('be taken out of a cache for another caller', async () => {
    upstream.answer = (_seen, response) => sendJson(response, 200, {}, { 'cache-control': 'max-age=60', vary: 'Accept' });
    const { headers } = await call('GET', proxy('/x'));
    expect(headers.vary).toBe('Accept, Authorization, Origin');
    expect(headers['cache-control']).toBe('max-age=60');
  });

  test('set a cookie or a policy on our domain', async () => {
    upstream.answer = (_seen, response) =>
      sendJson(
        response,
        200,
        {},
        {
          'set-cookie': 'a=1',
          'strict-transport-security': 'max-age=1',
          'clear-site-data': '"*"',
          'alt-svc': 'h3=":1"',
          'keep-alive': 'timeout=9',
          'x-stays': '1',
        },
      );
    const { headers } = await call('GET', proxy('/x'));
    for (const name of ['set-cookie', 'strict-transport-security', 'clear-site-data', 'alt-svc'])
      expect(headers, name).not.toHaveProperty(name);
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
