import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ALREADY_SENT, type AnyRoute, type IncomingCall, routeFor } from './route.ts';
import { createServer, type HttpServer } from './server.ts';

const route = routeFor<{ call: IncomingCall }, string>();
const base = { summary: 'x', credentials: [], scope: null, rateClass: 'api', audit: null, answers: { 200: z.unknown() } } as const;
/** What handlers saw: keys of query and body, the names of headers. */
let seen: { query: unknown; body: unknown; headers: string[] } | undefined;
let streamed = Promise.withResolvers<string>();

const routes: AnyRoute[] = [
  route({
    ...base,
    id: 'seen.create',
    method: 'POST',
    path: '/seen/{name}',
    query: z.looseObject({}),
    body: z.looseObject({}),
    params: z.object({ name: z.string() }),
    handler: async ({ call }, { query, body }) => {
      seen = { query, body, headers: Object.keys(call.headers) };
      return { status: 200, body: {} };
    },
  }),
  route({
    ...base,
    id: 'form.create',
    method: 'POST',
    path: '/form',
    bodyForm: 'form-or-json',
    body: z.looseObject({}),
    handler: async ({ call }, { query, body }) => {
      seen = { query, body, headers: Object.keys(call.headers) };
      return { status: 200, body: {} };
    },
  }),
  route({
    ...base,
    id: 'stream.create',
    method: 'POST',
    path: '/stream',
    rateClass: 'passthrough',
    bodyForm: 'stream',
    idempotent: false,
    handler: async (_context, { raw }) => {
      try {
        for await (const _ of raw.message) continue;
        streamed.resolve('whole');
      } catch (error) {
        streamed.resolve(error instanceof Error ? error.message : 'odd');
        throw error;
      }
      raw.response.writeHead(200).end();
      return ALREADY_SENT;
    },
  }),
];

const BODY_MS = 400;
let server: HttpServer;
let port: number;
beforeAll(async () => {
  server = await createServer({
    routes,
    log: silentLog,
    bodyBytesMax: 100_000,
    limits: { headersMs: 400, bodyMs: BODY_MS, lookEveryMs: 50, targetBytes: 2_000, requestsPerConnection: 3 },
    open: async (call) => ({ call }),
    close: () => undefined,
    idempotency: { claim: async () => ({ kind: 'first' }), complete: async () => undefined, release: async () => undefined },
    errorPage: async () => ({ status: 500, body: '' }),
    trustProxy: [],
  });
  port = await server.listen(0, '127.0.0.1');
});
afterAll(() => server.close());

function open(): { socket: Socket; answer: () => string; closed: Promise<unknown> } {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
  socket.on('error', () => undefined);
  // `once` would be done with an error, too: a server that closes resets what is still sent.
  return { socket, answer: () => answer, closed: new Promise((resolve) => socket.once('close', resolve)) };
}

/** Sends bytes, waits until the server closes, answers what it said. */
async function sent(bytes: Buffer | string): Promise<string> {
  const { socket, answer, closed } = open();
  socket.write(bytes);
  await closed;
  return answer();
}

function request(line: string, headers: readonly string[], body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body);
  const length = bytes.byteLength === 0 ? [] : [`Content-Length: ${bytes.byteLength}`];
  const has = headers.some((header) => /^host:/i.test(header));
  return Buffer.concat([
    Buffer.from(
      [`${line} HTTP/1.1`, ...(has ? [] : ['Host: a.example']), ...headers, ...length, 'Connection: close', '', ''].join('\r\n'),
      'latin1',
    ),
    bytes,
  ]);
}
const JSON_TYPE = 'Content-Type: application/json';
const FORM_TYPE = 'Content-Type: application/x-www-form-urlencoded';
const post = (body: Buffer | string, headers: readonly string[] = [JSON_TYPE]) => request('POST /seen/a', headers, body);
const form = (body: Buffer | string, headers: readonly string[] = [FORM_TYPE]) => request('POST /form', headers, body);
const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const list = (members: number) => `{"a":[${Array.from({ length: members }, () => '0').join(',')}]}`;
const fields = (count: number) => Array.from({ length: count }, (_, at) => `f${at}=1`).join('&');

describe('S1: a request out of bounds is refused, and what is just within goes through', () => {
  it.each<[what: string, refused: Buffer, status: number, control: Buffer]>([
    [
      'a target longer than the limit',
      request(`POST /seen/a?x=${'x'.repeat(2_000)}`, [JSON_TYPE], '{}'),
      414,
      request(`POST /seen/a?x=${'x'.repeat(1_500)}`, [JSON_TYPE], '{}'),
    ],
    ['a head of more bytes', post('{}', [JSON_TYPE, `X: ${'x'.repeat(33_000)}`]), 431, post('{}', [JSON_TYPE, `X: ${'x'.repeat(20_000)}`])],
    [
      'more header fields',
      post('{}', [JSON_TYPE, ...Array.from({ length: 200 }, () => 'X: y')]),
      431,
      post('{}', [JSON_TYPE, ...Array.from({ length: 190 }, () => 'X: y')]),
    ],
    ['a body of more bytes', post(`{"a":"${'x'.repeat(100_000)}"}`), 413, post(`{"a":"${'x'.repeat(99_000)}"}`)],
    ['deeper nesting', post(nested(40)), 400, post(nested(30))],
    ['nesting as deep as the body is long', post('['.repeat(99_000)), 400, post('{"a":[]}')],
    ['more members', post(list(21_000)), 400, post(list(19_000))],
    ['more form fields', form(fields(501)), 400, form(fields(499))],
    [
      'more query parameters',
      request(`POST /seen/a?${'a&'.repeat(501)}`, [JSON_TYPE], '{}'),
      400,
      request(`POST /seen/a?${'a&'.repeat(499)}`, [JSON_TYPE], '{}'),
    ],
    ['multipart where a form is taken', form('--x\r\n', ['Content-Type: multipart/form-data; boundary=x']), 415, form('a=b')],
    ['multipart where JSON is taken', post('{}', ['Content-Type: multipart/form-data; boundary=x']), 415, post('{}')],
    [
      'a compressed body',
      post(gzipSync('{"a":1}'), [JSON_TYPE, 'Content-Encoding: gzip']),
      415,
      post('{"a":1}', [JSON_TYPE, 'Content-Encoding: identity']),
    ],
    ['a body that is no UTF-8', post(Buffer.from('{"a":"\xE9"}', 'latin1')), 400, post('{"a":"é"}')],
    ['a form that is no UTF-8', form('a=%E9'), 400, form('a=%C3%A9')],
    [
      'a query that is no UTF-8',
      request('POST /seen/a?a=%E9', [JSON_TYPE], '{}'),
      400,
      request('POST /seen/a?a=%C3%A9', [JSON_TYPE], '{}'),
    ],
    ['a NUL in JSON', post('{"a":["b\\u0000"]}'), 400, post('{"a":["b\\\\u0000"]}')],
    ['a NUL in a name of JSON', post('{"a\\u0000":1}'), 400, post('{"a\\u0001":1}')],
    ['half a character in JSON', post('{"a":"\\ud83d"}'), 400, post('{"a":"\\ud83d\\ude00"}')],
    ['a NUL in a form', form('a=%00'), 400, form('a=%01')],
    ['a NUL in the query', request('POST /seen/a?a=%00', [JSON_TYPE], '{}'), 400, request('POST /seen/a?a=%01', [JSON_TYPE], '{}')],
    ['a NUL in the path', request('POST /seen/a%00', [JSON_TYPE], '{}'), 400, request('POST /seen/a%01', [JSON_TYPE], '{}')],
  ])('%s', async (_what, refused, status, control) => {
    const answer = await sent(refused);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/"(?:error_code|error)":/);
    expect(await sent(control)).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('S1: keys of the prototype', () => {
  const bad = ['__proto__', 'constructor', 'prototype'];
  it.each([
    ['JSON', post('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"prototype":{"polluted":1},"good":1}')],
    ['JSON in a list, twice nested', post('{"good":[{"constructor":{"polluted":1},"a":{"__proto__":{"polluted":1}}}]}')],
    ['JSON in escapes', post('{"\\u005f_proto__":{"polluted":1},"c\\u006fnstructor":1,"good":1}')],
    ['a form', form('__proto__=1&constructor=1&prototype=1&__proto__.polluted=1&good=1')],
    ['a query', request('POST /seen/a?__proto__=1&constructor=1&prototype=1&good=1', [JSON_TYPE], '{"good":1}')],
    ['headers', post('{"good":1}', [JSON_TYPE, '__proto__: polluted', 'constructor: 1'])],
    ['a place of the path', request('POST /seen/__proto__', [JSON_TYPE], '{"good":1}')],
  ])('in %s reach no handler and no object', async (_where, bytes) => {
    seen = undefined;
    expect(await sent(bytes)).toMatch(/^HTTP\/1.1 200 /);
    const text = JSON.stringify(seen);
    expect(text).toContain('good');
    for (const name of bad) expect(text.replace(/"headers":.*$/, '')).not.toContain(`"${name}"`);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Object.getPrototypeOf(seen!.body)).toBe(Object.prototype);
  });
});

describe('S1: slow requests are answered and closed', () => {
  it('a head that does not end', async () => {
    expect(await sent('POST /seen/a HTTP/1.1\r\nHost: a\r\nX-Slow: ')).toMatch(/^HTTP\/1.1 408 /);
  });

  it('a head that comes a byte at a time', async () => {
    const { socket, answer, closed } = open();
    socket.write('POST /seen/a HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(answer()).toMatch(/^(HTTP\/1.1 408 |$)/);
  });

  it.each(['/seen/a', '/form'])('a body of %s that comes a byte at a time', async (path) => {
    const { socket, answer, closed } = open();
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n`);
    const drip = setInterval(() => socket.write(' '), 20);
    await closed;
    clearInterval(drip);
    expect(answer()).toMatch(/^(HTTP\/1.1 408 |$)/);
  });

  it.each([
    ['that stops', () => undefined],
    ['that comes a byte at a time', (socket: Socket) => void socket.write('x')],
  ])('a streamed body %s', async (_how, each) => {
    streamed = Promise.withResolvers<string>();
    const { socket, closed } = open();
    socket.write('POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nx');
    const drip = setInterval(() => each(socket), 100);
    expect(await streamed.promise).not.toBe('whole');
    await closed;
    clearInterval(drip);
  });

  it('control: one that takes longer than the limit in all, and keeps coming, goes through', async () => {
    streamed = Promise.withResolvers<string>();
    const { socket, answer } = open();
    socket.write('POST /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n');
    for (let part = 0; part < 60; part++) {
      socket.write('x'.repeat(1_000));
      await new Promise((resolve) => setTimeout(resolve, BODY_MS / 30));
    }
    expect(await streamed.promise).toBe('whole');
    await expect.poll(answer, { timeout: 10_000 }).toMatch(/^HTTP\/1.1 200 /);
  });

  it('the answer to the last request of a connection says so, and one more is not served', async () => {
    const { socket, answer } = open();
    const one = 'POST /seen/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
    for (let count = 1; count <= 3; count++) {
      expect(answer()).not.toMatch(/^connection: close/im);
      socket.write(one);
      await expect.poll(() => answer().match(/HTTP\/1.1 200/g)?.length, { timeout: 10_000 }).toBe(count);
    }
    expect(answer().match(/^connection: close/gim)).toHaveLength(1);
    socket.write(one);
    await expect.poll(answer, { timeout: 10_000 }).toContain('HTTP/1.1 503');
    expect(answer().match(/HTTP\/1.1 200/g)).toHaveLength(3);
    socket.destroy();
  });
});

describe('A6: Host', () => {
  it.each([
    ['two of them', ['Host: a.example', 'Host: b.example']],
    ['a user', ['Host: user@a.example']],
    ['a path', ['Host: a.example/path']],
    ['a space', ['Host: a.example b.example']],
    ['a list', ['Host: a.example,b.example']],
    ['a port that is none', ['Host: a.example:80x']],
    ['two ports', ['Host: a.example:80:81']],
    ['nothing', ['Host: ']],
    ['a line of its own', ['Host: a.example\x0b']],
    ['a scheme', ['Host: http://a.example']],
  ])('with %s is refused', async (_what, headers) => {
    expect(await sent(post('{}', [JSON_TYPE, ...headers]))).toMatch(/^HTTP\/1.1 400 /);
  });

  it.each(['a.example', 'a.example:8400', '127.0.0.1:1', '[::1]:8400', 'LOCALHOST', 'under_score.internal'])(
    'control: %s is served',
    async (host) => {
      expect(await sent(post('{}', [JSON_TYPE, `Host: ${host}`]))).toMatch(/^HTTP\/1.1 200 /);
    },
  );

  it.each([
    ['none at all', 'POST /seen/a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}'],
    ['none in HTTP/1.0', 'POST /seen/a HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}'],
    [
      'a whole address of another host',
      'POST http://evil.example/seen/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    ],
    ['a whole address of its own host', 'POST http://a/seen/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}'],
    ['an authority', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n'],
    ['a star', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    ['TRACE', 'TRACE /seen/a HTTP/1.1\r\nHost: a\r\nX-Secret: s3cret\r\nConnection: close\r\n\r\n'],
    ['TRACK', 'TRACK /seen/a HTTP/1.1\r\nHost: a\r\nX-Secret: s3cret\r\nConnection: close\r\n\r\n'],
  ])('%s is not served', async (_what, text) => {
    seen = undefined;
    const answer = await sent(text);
    expect(answer).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
    expect(answer).not.toContain('s3cret');
    expect(seen).toBe(undefined);
  });
});
