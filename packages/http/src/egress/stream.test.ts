import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answering, begin, call, echo, echoed, listen, proxyTo, upstream } from './egress.harness.ts';

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
    const got = await begin(proxy.port);
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
      expect(echoed((await call(proxy.port, path)).body).url).toBe(path);
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
    const { headers } = echoed(
      (
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
        })
      ).body,
    );
    expect(headers.slice(4)).toEqual(['X-CaSe', '1', 'Accept', 'a/b', 'Authorization', 'Bearer upstream']);
    expect(headers.slice(0, 1)).toEqual(['host']);
  });

  it.each([
    ['with a length', { 'content-length': '5' }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('with its body: %s', async (_, headers) => {
    const proxy = await proxyTo(await upstream(echo));
    expect(echoed((await call(proxy.port, '/', { method: 'POST', headers, body: 'hello' })).body)).toMatchObject({
      method: 'POST',
      body: 'hello',
    });
  });

  it('without a body where there is none, so that the connection is kept', async () => {
    let connections = 0;
    const server = createServer(echo).on('connection', () => (connections += 1));
    const proxy = await proxyTo(await listen(server));
    for (const method of ['GET', 'DELETE', 'OPTIONS', 'GET'])
      expect(echoed((await call(proxy.port, '/', { method })).body).headers.join()).not.toMatch(/transfer-encoding|content-length/i);
    expect(connections).toBe(1);
  });

  it('as one request, though its body looks like a second', async () => {
    let requests = 0;
    const proxy = await proxyTo(await upstream((request, response) => ((requests += 1), echo(request, response))));
    const body = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const headers of [{ 'content-length': String(body.length) }, { 'transfer-encoding': 'chunked' }])
      expect(echoed((await call(proxy.port, '/', { method: 'POST', headers, body })).body).body).toBe(body);
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
