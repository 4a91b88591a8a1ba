import { createServer, type RequestListener } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { applicationId, type Log, type LogFields, silentLog } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import * as harness from './egress.harness.ts';
import type { EgressRequest } from './fetch.ts';

const get = { policy: 'upstream', tenant: null } satisfies EgressRequest;
const at = async (port: Promise<number>): Promise<string> => `127.0.0.1:${await port}`;
const upstream = (listener: RequestListener): Promise<string> => at(harness.upstream(listener));
const rawUpstream = (answer: string | Buffer, then: 'close' | 'stay' = 'close'): Promise<string> => at(harness.answering(answer, then));
const { closed, echo, echoed, egressWith, listen } = harness;

describe('a buffered call', () => {
  it('sends method, path, headers and body, and brings back status, headers and body', async () => {
    const host = await upstream(echo);
    const answer = await egressWith().fetch(`http://${host}/a/b?c=%20#d`, {
      ...get,
      method: 'PUT',
      headers: { 'X-One': '1' },
      body: 'héllo',
    });
    expect(answer).toMatchObject({ status: 200, url: `http://${host}/a/b?c=%20#d` });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(echoed(answer.body)).toMatchObject({ method: 'PUT', url: '/a/b?c=%20', body: 'héllo' });
    expect(echoed(answer.body).headers.join('\n')).toContain(
      `X-One\n1\naccept-encoding\nidentity\nuser-agent\nBulkhead\ncontent-length\n6`,
    );
  });

  it('writes the Host of the URL and drops what a caller says of host, length and connection', async () => {
    const host = await upstream(echo);
    const headers = {
      Host: 'victim.example',
      'Content-Length': '99',
      Connection: 'close, X-Gone',
      'X-Gone': '1',
      'Transfer-Encoding': 'chunked',
      TE: 'trailers',
      Upgrade: 'h2c',
      Expect: '100-continue',
      'Proxy-Authorization': 'Basic x',
      'Keep-Alive': 'x',
    };
    const answer = await egressWith().fetch(`http://${host}/`, { ...get, method: 'POST', headers, body: 'abc' });
    const sent = echoed(answer.body).headers.join('|').toLowerCase();
    expect(sent).toBe(`host|${host}|connection|keep-alive|accept-encoding|identity|user-agent|bulkhead|content-length|3`);
  });

  it('keeps repeated headers of the answer apart', async () => {
    const host = await upstream((_, response) =>
      response.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Two', '1', 'X-Two', '2']).end(),
    );
    const { headers } = await egressWith().fetch(`http://${host}/`, get);
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(headers.get('x-two')).toBe('1, 2');
  });

  it.each([204, 304, 404, 500])('a %s is an answer, not a failure', async (status) => {
    const host = await upstream((_, response) => response.writeHead(status).end());
    expect(await egressWith().fetch(`http://${host}/`, get)).toMatchObject({ status, body: Buffer.alloc(0) });
  });

  it('takes a HEAD answer by its headers alone, however long the body would be', async () => {
    const host = await upstream((_, response) => response.writeHead(200, { 'content-length': 99_000_000 }).end());
    expect((await egressWith().fetch(`http://${host}/`, { ...get, method: 'HEAD' })).headers.get('content-length')).toBe('99000000');
  });

  it('passes over interim answers', async () => {
    const host = await rawUpstream(
      'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\nx-interim: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    );
    const answer = await egressWith().fetch(`http://${host}/`, get);
    expect([answer.status, answer.headers.get('x-interim'), answer.body.toString()]).toEqual([200, null, 'ok']);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('decodes %s that came although nobody asked', async (encoding, encode) => {
    const host = await upstream((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(encode('plain')));
    const answer = await egressWith().fetch(`http://${host}/`, get);
    expect([answer.body.toString(), answer.headers.get('content-encoding')]).toEqual(['plain', null]);
  });
});

describe('bounds of a buffered call', () => {
  const chunked: RequestListener = (_, response) => (response.write('x'.repeat(60)), response.end('x'.repeat(60)));
  const announced: RequestListener = (_, response) => response.end('x'.repeat(120));
  const bomb: RequestListener = (_, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(100_000)));

  it.each([
    ['chunked', chunked, 120],
    ['announced', announced, 120],
    ['compressed', bomb, 100_000],
  ] as const)('a body over the limit is refused: %s', async (_, listener, length) => {
    const host = await upstream(listener);
    const egress = egressWith();
    await expect(egress.fetch(`http://${host}/`, { ...get, maxBytes: length - 1 })).rejects.toMatchObject({
      code: 'egress.too_large',
      status: 502,
    });
    expect((await egress.fetch(`http://${host}/`, { ...get, maxBytes: length })).body).toHaveLength(length);
  });

  it('an endless body ends at the limit, and its connection with it: refused, or cut where the status is what counts', async () => {
    const closed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let calls = 0;
    const host = await upstream((_, response) => {
      const mine = closed[calls++];
      const pump = (): void => {
        while (response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', pump).on('close', () => mine?.resolve());
      pump();
    });
    const egress = egressWith();
    await expect(egress.fetch(`http://${host}/`, { ...get, maxBytes: 100_000 })).rejects.toMatchObject({ code: 'egress.too_large' });
    const cut = await egress.fetch(`http://${host}/`, { ...get, maxBytes: 100_000, excess: 'cut' });
    expect([cut.status, cut.body.length]).toEqual([200, 100_000]);
    for (const each of closed) await each.promise;
  });

  it.each([
    ['chunked', chunked],
    ['announced', announced],
    ['compressed', bomb],
  ] as const)('a body over the limit keeps its beginning where it may be cut: %s', async (_, listener) => {
    const host = await upstream(listener);
    const egress = egressWith();
    for (const maxBytes of [0, 7])
      expect(await egress.fetch(`http://${host}/`, { ...get, maxBytes, excess: 'cut' })).toMatchObject({
        status: 200,
        body: { length: maxBytes },
      });
  });

  it.each([
    ['no head', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
  ])('a server that stops in the middle costs the time limit and no more: %s', async (_, bytes) => {
    const host = await rawUpstream(bytes, 'stay');
    await expect(egressWith().fetch(`http://${host}/`, { ...get, timeoutMs: 60 })).rejects.toMatchObject({
      code: 'egress.timeout',
      status: 504,
    });
  });

  it('the time limit holds while waiting for a free connection', async () => {
    const host = await rawUpstream('', 'stay');
    const egress = egressWith({ connectionsPerPoolMax: 1 });
    const calls = [1, 2, 3].map(() => egress.fetch(`http://${host}/`, { ...get, timeoutMs: 60 }));
    for (const call of await Promise.allSettled(calls)) expect(call).toMatchObject({ reason: { code: 'egress.timeout' } });
  });

  it('the time limit holds while a name is resolved', async () => {
    const egress = egressWith({ resolve: () => new Promise(() => undefined) });
    await expect(egress.fetch('https://slow.example/', { ...get, timeoutMs: 60 })).rejects.toMatchObject({ code: 'egress.timeout' });
  });

  it('a caller that gives up gets its own reason back, before and during the call', async () => {
    const host = await rawUpstream('', 'stay');
    const egress = egressWith();
    const reason = new Error('enough');
    await expect(egress.fetch(`http://${host}/`, { ...get, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const giveUp = new AbortController();
    const call = egress.fetch(`http://${host}/`, { ...get, signal: giveUp.signal });
    giveUp.abort(reason);
    await expect(call).rejects.toBe(reason);
  });
});

describe('one generic error', () => {
  it.each([
    ['an answer cut off inside its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
    ['an answer cut off inside its chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe'],
    ['no answer', ''],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}\r\n`],
    ['a transfer coding that nobody undoes', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'],
    ['a body that does not decode', 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain'],
  ])('stands for: %s', async (_, bytes) => {
    const host = await rawUpstream(bytes);
    await expect(egressWith().fetch(`http://${host}/`, get)).rejects.toMatchObject({ code: 'egress.unreachable', status: 502 });
  });

  it('stands for a closed port, and tells nothing but the log which', async () => {
    const lines: LogFields[] = [];
    const log: Log = { ...silentLog, info: (_, fields = {}) => lines.push(fields) as never };
    const server = createServer();
    const host = await at(listen(server));
    await closed(server);
    const tenant = applicationId.generate();
    const call = egressWith({ log }).fetch(`http://${host}/secret?token=t`, { ...get, tenant });
    await expect(call).rejects.toMatchObject({ code: 'egress.unreachable', publicText: expect.not.stringMatching(/127|ECONN/) as string });
    expect(lines).toMatchObject([{ policy: 'upstream', tenant, host, reason: 'ECONNREFUSED' }]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it.each(['CONNECT', 'TRACE', 'trace', 'GET /x HTTP/1.1\r\nHost:', 'G T', ''])('stands for the method %j', async (method) => {
    const host = await upstream(echo);
    const egress = egressWith();
    await expect(egress.fetch(`http://${host}/`, { ...get, method })).rejects.toMatchObject({ code: 'egress.refused' });
    expect((await egress.fetch(`http://${host}/`, { ...get, method: 'PROPFIND' })).status).toBe(200);
  });

  it.each([{ 'x-a': 'b\r\nx-c: d' }, { 'x-a': '\u0000' }, { 'x a': 'b' }, { 'x-a\r\nx-c': 'd' }])(
    'stands for headers that would break the message: %j',
    async (headers) => {
      const host = await upstream(echo);
      await expect(egressWith().fetch(`http://${host}/`, { ...get, headers: headers as Record<string, string> })).rejects.toMatchObject({
        code: 'egress.refused',
      });
    },
  );
});
