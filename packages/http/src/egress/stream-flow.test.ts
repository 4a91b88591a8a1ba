import { request as httpRequest, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { answering, begin, call, egressWith, listen, proxyTo, rawUpstream, settled, turn, upstream } from './egress.harness.ts';
import type { StreamRequest } from './stream.ts';

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
    const got = await begin(proxy.port);
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
    const got = await begin(proxy.port);
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
    const egress = egressWith({ connectionsPerPoolMax: 1 });
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
    while (answers.length === 0) await turn();
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
