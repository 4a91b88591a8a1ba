import { connect } from 'node:net';
import { once } from 'node:events';
import { type LogFields, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { httpErrors } from './http-errors.ts';
import { type IdempotencyClaim, type IdempotencyStore, withIdempotency } from './idempotency.ts';
import { type AnyRoute, routeFor } from './route.ts';
import { createServer, type HttpServer } from './server.ts';

const route = routeFor<Record<string, never>, string>();
const base = { summary: 'x', credentials: [], scope: null, rateClass: 'api', audit: null } as const;
let runs = 0;
const late = { arrived: Promise.withResolvers<void>(), aborted: Promise.withResolvers<boolean>() };
const waiting = { since: 0, ended: Promise.resolve() };

const lasting = Object.freeze({ text: 'lasting', secret: 'undeclared' });

const routes: AnyRoute[] = [
  route({
    ...base,
    id: 'lasting.get',
    method: 'GET',
    path: '/v1/lasting/{state}',
    params: z.object({ state: z.enum(['whole', 'odd']) }),
    answers: { 200: z.object({ text: z.string() }), 201: z.object({}) },
    handler: async (_context, { params }) => ({ status: params.state === 'whole' ? 200 : 201, body: lasting }),
  }),
  route({
    ...base,
    id: 'echo.create',
    method: 'POST',
    path: '/v1/echo/{name}',
    cors: true,
    params: z.object({ name: z.string().max(5) }),
    query: z.object({ n: z.coerce.number().optional() }),
    body: z.strictObject({ text: z.string() }),
    answers: { 200: z.object({ text: z.string(), runs: z.int() }) },
    handler: async (_context, { params, body }) => ({
      status: 200,
      body: { text: `${params.name}:${body.text}`, runs: ++runs, secret: 'undeclared' },
    }),
  }),
  route({
    ...base,
    id: 'form.create',
    method: 'POST',
    path: '/v1/form',
    bodyForm: 'form-or-json',
    errors: 'oauth',
    body: z.object({ a: z.string() }),
    answers: { 200: z.object({ a: z.string() }) },
    handler: async (_c, { body }) => ({ status: 200, body }),
  }),
  route({
    ...base,
    id: 'signal.create',
    method: 'POST',
    path: '/v1/signal/{wait}',
    params: z.object({ wait: z.enum(['no', 'yes', 'late']) }),
    body: z.object({}),
    answers: { 200: z.object({ aborted: z.boolean() }) },
    handler: async (_context, { params, raw }) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (params.wait === 'late') {
        late.arrived.resolve();
        await once(raw.response, 'close');
        late.aborted.resolve(raw.signal.aborted);
      }
      if (params.wait === 'yes') {
        waiting.ended = once(raw.signal, 'abort').then(() => undefined);
        waiting.since = Date.now();
        await waiting.ended;
      }
      return { status: 200, body: { aborted: raw.signal.aborted } };
    },
  }),
  route({
    ...base,
    id: 'broken.get',
    method: 'GET',
    path: '/v1/broken',
    answers: { 200: null },
    handler: async () => {
      throw new Error('the password is hunter2');
    },
  }),
  route({
    ...base,
    id: 'refused.get',
    method: 'GET',
    path: '/v1/refused',
    answers: { 200: null },
    handler: async () => {
      throw httpErrors('not_found', { detail: 'row 7 of tenant b' });
    },
  }),
];

function memoryIdempotency(): IdempotencyStore<unknown> {
  const kept = new Map<string, { hash: Buffer; answer?: Extract<IdempotencyClaim, { kind: 'done' }>['answer'] }>();
  return {
    async claim(_context, key, hash) {
      const held = kept.get(key);
      if (held === undefined) {
        kept.set(key, { hash });
        return { kind: 'first' };
      }
      if (!held.hash.equals(hash)) return { kind: 'mismatch' };
      return held.answer === undefined ? { kind: 'running' } : { kind: 'done', answer: held.answer };
    },
    async complete(_context, key, answer) {
      kept.get(key)!.answer = answer;
    },
    async release(_context, key) {
      kept.delete(key);
    },
  };
}

const failures: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
let server: HttpServer;
let url: string;
let port: number;
beforeAll(async () => {
  server = await createServer({
    routes,
    log: { ...silentLog, error: (message, fields) => failures.push({ message, fields }) },
    bodyBytesMax: 1000,
    limits: { bodyMs: 200 },
    drainMsMax: 300,
    open: async () => ({}),
    close: () => undefined,
    idempotency: memoryIdempotency(),
    errorPage: async () => ({ status: 500, body: '' }),
    trustProxy: [],
  });
  port = await server.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => server.close());

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });

async function rawRequest(text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  socket.on('data', (part: Buffer) => {
    answer += part.toString();
  });
  await once(socket, 'close');
  return answer;
}

describe('an answer', () => {
  it('is exactly application/json, without a charset, success or error', async () => {
    expect((await post('/v1/echo/a', '{"text":"b"}')).headers.get('content-type')).toBe('application/json');
    expect((await post('/v1/echo/a', '{}')).headers.get('content-type')).toBe('application/json');
    expect((await fetch(`${url}/v1/nowhere`)).headers.get('content-type')).toBe('application/json');
  });

  it('holds no field that its schema does not declare', async () => {
    expect(await (await post('/v1/echo/a', '{"text":"b"}')).json()).toEqual({ text: 'a:b', runs: expect.any(Number) });
  });

  it('a body that is frozen is parsed like any other, once for each status, and is the same bytes after that', async () => {
    const answers = [];
    for (const state of ['whole', 'odd', 'whole', 'whole', 'odd']) {
      const answer = await fetch(`${url}/v1/lasting/${state}`);
      answers.push([answer.status, await answer.text(), answer.headers.get('content-length')]);
    }
    const whole = [200, '{"text":"lasting"}', '18'];
    expect(answers).toEqual([whole, [201, '{}', '2'], whole, whole, [201, '{}', '2']]);
  });

  it('carries the request id in its header and in its error', async () => {
    const answer = await fetch(`${url}/v1/nowhere`);
    expect(await answer.json()).toMatchObject({ status_code: 404, error_code: 'not_found', id: answer.headers.get('x-request-id') });
  });

  it.each([
    ['a path that is no UTF-8', 'GET /v1/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
    ['a name longer than any', `POST /v1/echo/${'x'.repeat(600)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 404],
    ['what is no HTTP', 'HELLO\r\n\r\n', 400],
    ['a head that is too large', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ])('to %s has the shape of every other', async (_what, text, status) => {
    const [head = '', body = ''] = (await rawRequest(text)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/json$/im);
    expect(JSON.parse(body)).toMatchObject({ status_code: status, id: /^x-request-id: (.+)$/im.exec(head)?.[1] });
  });

  it('shows nothing of an unexpected error', async () => {
    const answer = await fetch(`${url}/v1/broken`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('hunter2');
  });

  it('of a refusal keeps its detail to the log, and is the answer of an unknown path', async () => {
    const strip = (text: string) => text.replace(/"id":"[^"]+"/, '');
    const [refused, unknown] = await Promise.all(['/v1/refused', '/v1/unknown'].map(async (path) => (await fetch(url + path)).text()));
    expect(strip(refused!)).toBe(strip(unknown!));
  });
});

describe('a path', () => {
  it.each(['/v1/echo/a/', '/v1//echo/a', '//v1/echo//a//'])('answers without a redirect when written %s', async (path) => {
    expect((await post(path, '{"text":"b"}')).status).toBe(200);
  });
});

describe('a method that a path does not have', () => {
  it('answers 405 and names those it has', async () => {
    const answer = await fetch(`${url}/v1/echo/a`, { method: 'PUT' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect((await fetch(`${url}/v1/nowhere`, { method: 'PUT' })).status).toBe(404);
  });
});

describe('a body', () => {
  it.each([
    ['an unknown field', '{"text":"b","more":1}', 400, 'more'],
    ['a missing field', '{}', 400, 'text'],
    ['a field of another type', '{"text":1}', 400, 'text'],
    ['no JSON', '{"text":', 400, undefined],
    ['more bytes than allowed', `{"text":"${'x'.repeat(2000)}"}`, 413, undefined],
    ['deep nesting', `{"text":${'['.repeat(40)}${']'.repeat(40)}}`, 400, undefined],
  ])('with %s is refused, naming it', async (_what, body, status, field) => {
    const answer = await post('/v1/echo/a', body);
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { field?: string }).field).toBe(field);
  });

  it('of another media type is refused, saying which is taken', async () => {
    const answer = await post('/v1/echo/a', 'text=b', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(answer.status).toBe(415);
    expect(await answer.text()).toContain('application/json');
  });

  it('does not carry __proto__ into anything', async () => {
    const answer = await post('/v1/echo/a', '{"text":"b","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    expect(answer.status).toBe(200);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each(['application/x-www-form-urlencoded', 'application/form-urlencoded', 'text/plain'])(
    'of a form is read by the name %j',
    async (type) => {
      expect(await (await post('/v1/form', 'a=b%20c', { 'content-type': type })).json()).toEqual({ a: 'b c' });
    },
  );

  it('of a form is read without any name', async () => {
    const answer = await fetch(`${url}/v1/form`, { method: 'POST', body: Buffer.from('a=b') });
    expect(await answer.json()).toEqual({ a: 'b' });
  });

  it('with a repeated form field is refused (RFC 6749 §3.2)', async () => {
    const answer = await post('/v1/form', 'a=b&a=c', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(await answer.json()).toMatchObject({ error: 'invalid_request' });
    expect(answer.status).toBe(400);
  });
});

describe('Idempotency-Key', () => {
  it('gives the first answer again, runs once, and refuses another body', async () => {
    const headers = { 'idempotency-key': 'one' };
    const first = await (await post('/v1/echo/a', '{"text":"b"}', headers)).text();
    expect(await (await post('/v1/echo/a', '{"text":"b"}', headers)).text()).toBe(first);
    expect((await post('/v1/echo/a', '{"text":"c"}', headers)).status).toBe(409);
    expect(await (await post('/v1/echo/a', '{"text":"b"}')).text()).not.toBe(first);
  });
});

describe('withIdempotency', () => {
  const request = { method: 'POST', target: '/', body: Buffer.from('{}') };
  const failing = (at: 'complete' | 'run') => {
    const store = memoryIdempotency();
    const broken = { ...store, complete: at === 'complete' ? () => Promise.reject(new Error('the database is away')) : store.complete };
    let changes = 0;
    const run = async () => {
      if (at === 'run' && changes === 0) {
        changes = -1;
        throw new Error('nothing was changed');
      }
      changes = Math.max(changes, 0) + 1;
      return { status: 201 };
    };
    return { ask: () => withIdempotency(broken, {}, 'key', request, run), changes: () => changes };
  };

  it('does not make a change twice where its answer could not be kept', async () => {
    const { ask, changes } = failing('complete');
    await expect(ask()).rejects.toThrow('away');
    await expect(ask()).rejects.toMatchObject({ code: 'idempotency.in_progress' });
    expect(changes()).toBe(1);
  });

  it('control: frees the key where nothing was changed', async () => {
    const { ask, changes } = failing('run');
    await expect(ask()).rejects.toThrow('nothing');
    expect(await ask()).toEqual({ status: 201 });
    expect(changes()).toBe(1);
  });
});

describe('CORS', () => {
  it('answers a preflight of a route that allows it, and of no other', async () => {
    const preflight = (path: string) =>
      fetch(url + path, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,x-kloudless-source',
        },
      });
    const allowed = await preflight('/v1/echo/a/');
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('x-kloudless-source');
    expect((await preflight('/v1/broken')).headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a request line', () => {
  it.each([
    ['two Host headers', 'GET /v1/nowhere HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'],
    ['an absolute target of another host', 'GET http://evil.example/v1/nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ])('with %s is refused', async (_what, text) => {
    const answer = await rawRequest(text);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('"error_code":"bad_request"');
  });

  it('with two Authorization headers, or hundreds of headers, is refused', async () => {
    const get = (headers: string) => rawRequest(`GET /v1/nowhere HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`);
    expect(await get('Authorization: Bearer a\r\nAuthorization: Bearer b\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect(await get('Authorization: Bearer a\r\n')).toMatch(/^HTTP\/1.1 404 /);
    expect(await get('X: y\r\n'.repeat(250))).toMatch(/^HTTP\/1.1 431 /);
    expect(await get('X: y\r\n'.repeat(150))).toMatch(/^HTTP\/1.1 404 /);
  });

  it('whose body never ends is answered and closed', async () => {
    const answer = await rawRequest(
      'POST /v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"te',
    );
    expect(answer === '' || answer.startsWith('HTTP/1.1 408 ')).toBe(true);
  });

  it('with one Host header is not', async () => {
    expect(await rawRequest('GET /v1/nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 404 /);
  });
});

describe('closing', () => {
  it('lets a running request end, then ends', async () => {
    let release = () => undefined as void;
    const running = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await createServer({
      routes: [
        route({
          ...base,
          id: 'slow.get',
          method: 'GET',
          path: '/slow',
          answers: { 200: z.object({ done: z.boolean() }) },
          handler: async () => {
            await running;
            return { status: 200, body: { done: true } };
          },
        }),
      ],
      log: silentLog,
      bodyBytesMax: 1000,
      open: async () => ({}),
      close: () => undefined,
      idempotency: memoryIdempotency(),
      errorPage: async () => ({ status: 500, body: '' }),
      trustProxy: [],
    });
    const slowPort = await slow.listen(0, '127.0.0.1');
    const answer = fetch(`http://127.0.0.1:${slowPort}/slow`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = slow.close();
    release();
    expect(await (await answer).json()).toEqual({ done: true });
    await closed;
    await expect(fetch(`http://127.0.0.1:${slowPort}/slow`)).rejects.toThrow();
  });
});

describe('a caller that leaves before it has said all', () => {
  it("is nobody's failure, and no line of the log", async () => {
    const before = failures.length;
    const head = 'POST /v1/form HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{';
    const opened = async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(head);
      return socket;
    };
    for (const leaves of ['destroy', 'resetAndDestroy'] as const) {
      const socket = await opened();
      await new Promise((resolve) => setTimeout(resolve, 30));
      socket[leaves]();
      await once(socket, 'close');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(failures.slice(before)).toEqual([]);
    // Control: what fails by itself is one.
    await fetch(`${url}/v1/broken`);
    expect(failures).toHaveLength(before + 1);
  });
});

describe("the caller's signal", () => {
  it('is not stopped by a body that has been read', async () => {
    expect(await (await post('/v1/signal/no', '{}')).json()).toEqual({ aborted: false });
  });

  it('stops when the caller leaves', async () => {
    const leaving = new AbortController();
    const answer = fetch(`${url}/v1/signal/yes`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
      signal: leaving.signal,
    });
    await expect.poll(() => waiting.since).toBeGreaterThan(0);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await waiting.ended;
  });

  it('has stopped where it is asked for only after the caller left, and what is answered then harms nobody', async () => {
    const leaving = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const answer = fetch(`${url}/v1/signal/late`, { method: 'POST', body: '{}', headers, signal: leaving.signal });
    await late.arrived.promise;
    leaving.abort();
    await expect(answer).rejects.toThrow();
    expect(await late.aborted.promise).toBe(true);
    // Control: a caller that is still there is answered.
    expect(await (await post('/v1/signal/no', '{}')).json()).toEqual({ aborted: false });
  });
});
