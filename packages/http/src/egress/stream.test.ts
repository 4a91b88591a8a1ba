import {
  type Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { silentLog, systemClock } from '@bulkhead/base';
import { afterEach, describe, expect, it } from 'vitest';
import { createEgress } from './egress.ts';
import { forwardableRequestHeaders } from './headers.ts';
import { pipeTo, type ResponseSinkOptions } from './response-sink.ts';
import type { StreamOutcome, StreamRequest } from './stream.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});
async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () => new Promise((resolve) => ('closeAllConnections' in server && server.closeAllConnections(), server.close(resolve))),
  });
  return (server.address() as AddressInfo).port;
}
const upstream = (listener: RequestListener): Promise<number> => listen(createServer(listener));
const rawUpstream = (onData: (socket: Socket, request: string) => void): Promise<number> =>
  listen(createTcpServer((socket) => socket.on('error', () => undefined).on('data', (data) => onData(socket, data.toString('latin1')))));
const answering = (bytes: string | Buffer, then: 'close' | 'stay' = 'stay') =>
  rawUpstream((socket) => void (then === 'close' ? socket.end(bytes) : socket.write(bytes)));

interface Proxy {
  readonly port: number;
  /** Outcomes and errors, as they come. */
  readonly ended: (StreamOutcome | Error)[];
  readonly next: () => Promise<StreamOutcome | Error>;
}

/** A server that passes every request to `port`, as the pass-through does. */
async function proxyTo(port: number, more: Partial<StreamRequest> = {}, sink: ResponseSinkOptions = {}): Promise<Proxy> {
  const egress = createEgress({ allow: ['127.0.0.1'], ownListeners: () => [], log: silentLog, clock: systemClock });
  const ended: (StreamOutcome | Error)[] = [];
  const waiting: ((outcome: StreamOutcome | Error) => void)[] = [];
  const settle = (outcome: StreamOutcome | Error): void => (ended.push(outcome), waiting.shift()?.(outcome));
  const server = createServer((request, response) => {
    const headers = [...forwardableRequestHeaders(request.rawHeaders), 'Authorization', 'Bearer upstream'];
    egress
      .stream(
        {
          url: `http://127.0.0.1:${port}/base`,
          target: request.url ?? '/',
          policy: 'upstream',
          tenant: null,
          method: request.method ?? '',
          headers,
          body: request,
          ...more,
        },
        pipeTo(response, sink),
      )
      .then(settle, (error: Error & { status?: number; code?: string }) => {
        settle(error);
        if (!response.headersSent) response.writeHead(error.status ?? 500, { 'x-error': error.code ?? '' }).end();
      });
  });
  open.push(egress);
  return { port: await listen(server), ended, next: () => new Promise((resolve) => waiting.push(resolve)) };
}

interface Answer {
  readonly status: number;
  readonly raw: string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly trailers: string[];
  readonly whole: boolean;
}
function call(
  port: number,
  path = '/',
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const sent = httpRequest({ host: '127.0.0.1', port, path, ...rest }, (answer) => {
      const chunks: Buffer[] = [];
      const finish = (): void =>
        resolve({
          status: answer.statusCode ?? 0,
          raw: answer.rawHeaders,
          headers: answer.headers,
          body: Buffer.concat(chunks),
          trailers: answer.rawTrailers,
          whole: answer.complete,
        });
      answer
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('error', () => undefined)
        .on('close', finish);
    });
    sent.on('error', reject).end(body);
  });
}
const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .on('end', () =>
      response.end(
        JSON.stringify({
          method: request.method,
          url: request.url,
          headers: request.rawHeaders,
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      ),
    );
};
const parsed = (answer: Answer): { method: string; url: string; headers: string[]; body: string } => JSON.parse(answer.body.toString());
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Resolves when `read` has given the same number for some turns of the loop that are long enough for a socket. */
async function settled(read: () => number): Promise<number> {
  for (let same = 0, last = -1; ; last = read()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = read() === last ? same + 1 : 0;
    if (same === 10) return last;
  }
}

describe('an answer passes as it is', () => {
  it('with its headers: order, case, duplicates, bytes beyond ASCII', async () => {
    const port = await answering(
      Buffer.from('HTTP/1.1 207 Multi\r\nX-B: 1\r\nx-a: \xe9\r\nX-b: 2\r\nContent-Length: 2\r\nETag: "q"\r\n\r\nok', 'latin1'),
    );
    const proxy = await proxyTo(port);
    const answer = await call(proxy.port);
    expect(answer.status).toBe(207);
    expect(answer.raw.slice(0, 10)).toEqual(['X-B', '1', 'x-a', '\xe9', 'X-b', '2', 'Content-Length', '2', 'ETag', '"q"']);
    expect(proxy.ended).toEqual([{ ended: 'complete', status: 207, receivedBytes: 2 }]);
  });

  it('with its bytes: compressed stays compressed', async () => {
    const body = gzipSync('plain text');
    const proxy = await proxyTo(await upstream((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body)));
    const answer = await call(proxy.port, '/', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.body.equals(body)).toBe(true);
  });

  it('in pieces, each as soon as it comes, the head before any', async () => {
    const answers: ServerResponse[] = [];
    const proxy = await proxyTo(
      await upstream(
        (_, response) => (response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(), answers.push(response)),
      ),
    );
    const got = await new Promise<IncomingMessage>((resolve) => httpRequest({ host: '127.0.0.1', port: proxy.port }, resolve).end());
    expect(got.headers['content-type']).toBe('text/event-stream');
    for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
      const next = new Promise<Buffer>((resolve) => got.once('data', resolve));
      answers[0]?.write(piece);
      expect(String(await next)).toBe(piece);
    }
    answers[0]?.end();
    await new Promise((resolve) => got.on('end', resolve).resume());
  });

  it.each([204, 304])('without a body: %s', async (status) => {
    const proxy = await proxyTo(await upstream((_, response) => response.writeHead(status, { etag: '"x"' }).end()));
    expect(await call(proxy.port)).toMatchObject({ status, headers: { etag: '"x"' }, body: Buffer.alloc(0), whole: true });
  });

  it('to HEAD: the length of a body that does not come', async () => {
    const proxy = await proxyTo(await upstream((_, response) => response.writeHead(200, { 'content-length': 12345 }).end()));
    expect(await call(proxy.port, '/', { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '12345' },
      body: Buffer.alloc(0),
      whole: true,
    });
  });

  it('without interim answers', async () => {
    const proxy = await proxyTo(
      await answering(
        'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
      ),
    );
    const answer = await call(proxy.port);
    expect([answer.status, answer.headers['link'], String(answer.body)]).toEqual([200, undefined, 'ok']);
  });

  it('with its trailers, save those that would frame or set something', async () => {
    const proxy = await proxyTo(
      await answering(
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=1\r\nContent-Encoding: gzip\r\n\r\n',
      ),
    );
    expect(await call(proxy.port)).toMatchObject({ body: Buffer.from('ok'), trailers: ['X-Sum', '7'], whole: true });
  });

  it('without cookies and other fields that would act on our origin', async () => {
    const proxy = await proxyTo(
      await upstream((_, response) =>
        response
          .writeHead(200, {
            'set-cookie': 'a=1',
            'alt-svc': 'h3=":443"',
            'strict-transport-security': 'max-age=1',
            connection: 'x-hop',
            'x-hop': '1',
            'x-kept': '1',
          })
          .end(),
      ),
    );
    const { headers } = await call(proxy.port);
    expect(Object.keys(headers)).toContain('x-kept');
    for (const name of ['set-cookie', 'alt-svc', 'strict-transport-security', 'x-hop']) expect(headers).not.toHaveProperty(name);
  });

  it('with the last word left to the caller of the sink', async () => {
    const proxy = await proxyTo(
      await upstream((_, response) => response.end('ok')),
      {},
      { transformHeaders: (headers, status) => [...headers, 'X-Status', String(status)] },
    );
    expect((await call(proxy.port)).headers['x-status']).toBe('200');
  });

  it('when it comes before the request has been written to its end', async () => {
    const port = await upstream((request, response) => void request.once('data', () => response.writeHead(413).end('big')));
    const proxy = await proxyTo(port);
    const sent = httpRequest({ host: '127.0.0.1', port: proxy.port, method: 'POST', headers: { 'content-length': 1_000_000 } }).on(
      'error',
      () => undefined,
    );
    const answered = new Promise<IncomingMessage>((resolve) => sent.on('response', resolve));
    sent.write('begun');
    const answer = await answered;
    expect([answer.statusCode, String(await answer.toArray())]).toEqual([413, 'big']);
    expect(proxy.ended).toMatchObject([{ ended: 'complete' }]);
    sent.destroy();
  });
});

describe('a request passes as it is', () => {
  it.each(['/', '/a/../b', '/%2e%2e/x', '//evil.example/x', '/@evil.example', '/a?b=c&b=%20+', '/a;b=1', "/!$'()*,", '/a\\b'])(
    'with its target byte for byte, always to the same host: %s',
    async (path) => {
      const proxy = await proxyTo(await upstream(echo));
      expect(parsed(await call(proxy.port, path)).url).toBe(path);
    },
  );

  it.each(['', 'x', '*', 'http://evil.example/', '@evil.example/', '/a b', '/a#b', '/a\r\nHost: x', '/é', '/\u0000'])(
    'unless its target is none: %j',
    async (target) => {
      const proxy = await proxyTo(await upstream(echo), { target });
      expect(await call(proxy.port)).toMatchObject({ status: 400, headers: { 'x-error': 'egress.url_invalid' } });
    },
  );

  it("with its headers as written, less the caller's credential and connection, plus the one we add", async () => {
    const proxy = await proxyTo(await upstream(echo));
    const { headers } = parsed(
      await call(proxy.port, '/', {
        headers: {
          'X-CaSe': '1',
          Authorization: 'Bearer bha_caller',
          Cookie: 'session=1',
          Connection: 'X-Hop',
          'X-Hop': '1',
          TE: 'trailers',
          'X-Forwarded-For': '1.2.3.4',
          Accept: 'a/b',
        },
      }),
    );
    expect(headers.slice(4)).toEqual(['X-CaSe', '1', 'Accept', 'a/b', 'Authorization', 'Bearer upstream']);
    expect(headers.slice(0, 1)).toEqual(['host']);
  });

  it.each([
    ['with a length', { 'content-length': '5' }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('with its body: %s', async (_, headers) => {
    const proxy = await proxyTo(await upstream(echo));
    expect(parsed(await call(proxy.port, '/', { method: 'POST', headers, body: 'hello' }))).toMatchObject({
      method: 'POST',
      body: 'hello',
    });
  });

  it('without a body where there is none, so that the connection is kept', async () => {
    let connections = 0;
    const server = createServer(echo).on('connection', () => (connections += 1));
    const proxy = await proxyTo(await listen(server));
    for (const method of ['GET', 'DELETE', 'OPTIONS', 'GET'])
      expect(parsed(await call(proxy.port, '/', { method })).headers.join()).not.toMatch(/transfer-encoding|content-length/i);
    expect(connections).toBe(1);
  });

  it('as one request, though its body looks like a second', async () => {
    let requests = 0;
    const proxy = await proxyTo(await upstream((request, response) => ((requests += 1), echo(request, response))));
    const body = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const headers of [{ 'content-length': String(body.length) }, { 'transfer-encoding': 'chunked' }])
      expect(parsed(await call(proxy.port, '/', { method: 'POST', headers, body })).body).toBe(body);
    expect(requests).toBe(2);
  });

  it.each(['CONNECT', 'TRACE'])('unless its method is %s', async (method) => {
    const proxy = await proxyTo(await upstream(echo), { method });
    expect(await call(proxy.port)).toMatchObject({ status: 400, headers: { 'x-error': 'egress.refused' } });
  });

  it('unless its lengths disagree', async () => {
    const proxy = await proxyTo(await upstream(echo), { headers: ['Content-Length', '3', 'Content-Length', '4'] });
    expect(await call(proxy.port, '/', { method: 'POST', body: 'abc' })).toMatchObject({
      status: 400,
      headers: { 'x-error': 'egress.refused' },
    });
  });
});

describe('back-pressure', () => {
  it('a caller that stops reading stops the upstream after a few megabytes of 200', async () => {
    let produced = 0;
    const total = 200_000_000;
    const piece = Buffer.alloc(65_536);
    const port = await upstream((_, response) => {
      const pump = (): void => {
        while (produced < total) {
          produced += piece.length;
          if (!response.write(piece)) return;
        }
        response.end();
      };
      response.on('drain', pump);
      pump();
    });
    const proxy = await proxyTo(port);
    const got = await new Promise<IncomingMessage>((resolve) => httpRequest({ host: '127.0.0.1', port: proxy.port }, resolve).end());
    const held = await settled(() => produced);
    // What the kernel holds in the four socket buffers of two loopback connections, and no more.
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(40_000_000);
    // Control: reading lets the rest through, to the last byte.
    let received = 0;
    await new Promise((resolve) => got.on('data', (chunk: Buffer) => (received += chunk.length)).on('end', resolve));
    expect(received).toBe(produced);
    expect(produced).toBeGreaterThanOrEqual(total);
  }, 30_000);

  it('an upstream that stops reading stops the caller', async () => {
    let read: Socket | null = null;
    const port = await listen(createTcpServer((socket) => ((read = socket), socket.on('error', () => undefined).pause())));
    const proxy = await proxyTo(port);
    let sent = 0;
    const uploading = httpRequest({ host: '127.0.0.1', port: proxy.port, method: 'PUT', headers: { 'content-length': 200_000_000 } }).on(
      'error',
      () => undefined,
    );
    const piece = Buffer.alloc(65_536);
    const pump = (): void => {
      while (sent < 199_000_000) {
        sent += piece.length;
        if (!uploading.write(piece)) return;
      }
    };
    uploading.on('drain', pump);
    pump();
    expect(await settled(() => sent)).toBeLessThan(40_000_000);
    (read as Socket | null)?.destroy();
    uploading.destroy();
  }, 30_000);

  it('a caller that reads nothing for too long is dropped, and the upstream with it', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await upstream((_, response) => {
      const pump = (): void => {
        while (response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', pump).on('close', () => closed.resolve());
      pump();
    });
    const proxy = await proxyTo(port, {}, { stallTimeoutMs: 50 });
    const outcome = proxy.next();
    const lazy = connect(proxy.port, '127.0.0.1', () => lazy.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
      .on('error', () => undefined)
      .pause();
    await closed.promise;
    expect(await outcome).toMatchObject({ ended: 'caller_left' });
    lazy.destroy();
  });
});

describe('a caller that leaves', () => {
  const watched = async (
    listener: (response: ServerResponse) => void,
  ): Promise<{ port: number; arrived: Promise<void>; closed: Promise<void> }> => {
    const [arrived, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const port = await upstream((request, response) => {
      request.on('error', () => undefined).resume();
      response.on('close', () => closed.resolve());
      listener(response);
      arrived.resolve();
    });
    return { port, arrived: arrived.promise, closed: closed.promise };
  };

  it('while the upstream thinks ends the upstream call', async () => {
    const { port, arrived, closed } = await watched(() => undefined);
    const proxy = await proxyTo(port);
    const outcome = proxy.next();
    const sent = httpRequest({ host: '127.0.0.1', port: proxy.port }).on('error', () => undefined);
    sent.end();
    await arrived;
    sent.destroy();
    await closed;
    expect(await outcome).toEqual({ ended: 'caller_left', status: null, receivedBytes: 0 });
  });

  it('in the middle of the answer ends the upstream call', async () => {
    const { port, closed } = await watched((response) => response.write('begun'));
    const proxy = await proxyTo(port);
    const outcome = proxy.next();
    const got = await new Promise<IncomingMessage>((resolve) => httpRequest({ host: '127.0.0.1', port: proxy.port }, resolve).end());
    got.on('error', () => undefined).destroy();
    await closed;
    expect(await outcome).toMatchObject({ ended: 'caller_left', status: 200 });
  });

  it('in the middle of its own request ends the upstream call', async () => {
    const { port, arrived, closed } = await watched(() => undefined);
    const proxy = await proxyTo(port);
    const outcome = proxy.next();
    const sent = httpRequest({ host: '127.0.0.1', port: proxy.port, method: 'POST', headers: { 'content-length': 1000 } }).on(
      'error',
      () => undefined,
    );
    sent.write('half');
    await arrived;
    sent.destroy();
    await closed;
    expect(await outcome).toEqual({ ended: 'caller_left', status: null, receivedBytes: 0 });
  });

  it('before a connection is free never reaches the upstream', async () => {
    let requests = 0;
    const answers: ServerResponse[] = [];
    const port = await upstream((_, response) => ((requests += 1), answers.push(response)));
    const egress = createEgress({
      allow: ['127.0.0.1'],
      ownListeners: () => [],
      log: silentLog,
      clock: systemClock,
      connectionsPerPoolMax: 1,
    });
    open.push(egress);
    const sink = { start: () => undefined, head: () => undefined, data: () => true, end: () => undefined, fail: () => undefined };
    const give = new AbortController();
    const request: StreamRequest = {
      url: `http://127.0.0.1:${port}/`,
      policy: 'upstream',
      tenant: null,
      method: 'GET',
      headers: [],
      body: null,
    };
    const first = egress.stream(request, sink);
    const second = egress.stream({ ...request, signal: give.signal }, sink);
    give.abort();
    expect(await second).toEqual({ ended: 'caller_left', status: null, receivedBytes: 0 });
    while (answers.length === 0) await immediate();
    answers[0]?.end();
    expect(await first).toMatchObject({ ended: 'complete' });
    expect(requests).toBe(1);
    expect(await egress.stream({ ...request, signal: give.signal }, sink)).toMatchObject({ ended: 'caller_left' });
  });
});

describe('a broken answer never looks whole', () => {
  it.each([
    ['inside its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
    ['inside a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf'],
    ['between chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['inside a bad chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
  ])('cut off %s', async (_, bytes) => {
    const proxy = await proxyTo(await answering(bytes, 'close'));
    const answer = await call(proxy.port);
    expect([answer.status, String(answer.body), answer.whole]).toEqual([200, 'half', false]);
    expect(proxy.ended).toMatchObject([{ ended: 'truncated', receivedBytes: 4, error: { code: 'egress.unreachable' } }]);
  });

  it('cut off by silence', async () => {
    const proxy = await proxyTo(await answering('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), { bodyIdleTimeoutMs: 50 });
    expect(await call(proxy.port)).toMatchObject({ whole: false });
    expect(proxy.ended).toMatchObject([{ ended: 'truncated', error: { code: 'egress.timeout' } }]);
  });

  it('cut off, to an HTTP/1.0 caller, which knows an end only by the connection: it is reset', async () => {
    const ending = async (bytes: string): Promise<string> => {
      const proxy = await proxyTo(await answering(bytes, 'close'));
      return new Promise((resolve) => {
        const socket = connect(proxy.port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
        socket
          .on('error', (error: Error & { code?: string }) => resolve(error.code ?? ''))
          .on('end', () => resolve('end'))
          .resume();
      });
    };
    expect(await ending('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n')).toBe('ECONNRESET');
    expect(await ending('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n')).toBe('end');
  });

  it.each([
    ['no answer', ''],
    ['another protocol', '220 mail.example ESMTP\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}\r\n`],
  ])('and before its head it is an error we answer ourselves: %s', async (_, bytes) => {
    const proxy = await proxyTo(await answering(bytes, 'close'));
    expect(await call(proxy.port)).toMatchObject({ status: 502, headers: { 'x-error': 'egress.unreachable' } });
  });

  it('and no head in time is a 504', async () => {
    const proxy = await proxyTo(await rawUpstream(() => undefined), { headersTimeoutMs: 50 });
    expect(await call(proxy.port)).toMatchObject({ status: 504, headers: { 'x-error': 'egress.timeout' } });
  });

  it('and what a first answer leaves behind is not taken for a second', async () => {
    const proxy = await proxyTo(
      await answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison'),
    );
    for (let round = 0; round < 3; round += 1) expect(String((await call(proxy.port)).body)).toBe('ok');
  });
});
