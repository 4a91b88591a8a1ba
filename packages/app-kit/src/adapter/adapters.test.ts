import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { serve } from '@hono/node-server';
import { Secret } from '@bulkhead/base';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listening, type Running, sendRaw } from '../../test/raw-request.ts';
import { type Express, express4, express5 } from '../../test/untyped-express.ts';
import { type AppKit, createAppKit } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';
import { defineDescriptor } from '../descriptor.ts';
import { memoryTenantStore } from '../store/memory-tenant-store.ts';
import { FakeHost, type FakeTenant } from '../testkit/fake-host.ts';
import type { VerifiedToken } from '../token/verify-tenant-token.ts';
import { expressGuard, type ExpressHandler, expressKit } from './express.ts';
import { fastifyGuard, fastifyKit } from './fastify.ts';
import { verifiedOf } from './guard.ts';
import { honoGuard, honoKit } from './hono.ts';
import { koaGuard, koaKit } from './koa.ts';
import { answerMessage, answerNode, guardNode } from './node-http.ts';

const key = 'issue-notes';
const appBaseUrl = 'https://app.example';
const host = new FakeHost({ appKey: key, appBaseUrl });
const logged: unknown[] = [];
const note = (message: string, fields?: object): void => void logged.push({ message, ...fields });
const kitOf = (): AppKit =>
  createAppKit({
    descriptor: defineDescriptor({ key, baseUrl: appBaseUrl }),
    issuers: [host.issuer],
    store: memoryTenantStore({ appKey: key }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    fetch: host.fetch,
    log: { debug: note, info: note, warn: note, error: note },
  });

/** What every App of the table answers: who called, and, of a hook, what it got. */
const who = ({ kind, tenant, accountId }: VerifiedToken, session: string | null, body: unknown = null) => ({
  kind,
  clientKey: tenant.clientKey,
  accountId,
  session,
  body,
});

function express(make: Express) {
  return (kit: AppKit): Promise<Running> => {
    const server = make();
    server.use(expressKit(kit));
    server.use(make.json());
    server.get('/page', expressGuard(kit, { token: 'request' }), (request, response) => {
      const token = verifiedOf(request);
      response.end(JSON.stringify(who(token, kit.issueSession(token))));
    });
    const router = make.Router();
    router.get('/api', expressGuard(kit, { token: 'session' }), (request, response) => {
      response.end(JSON.stringify(who(verifiedOf(request), null)));
    });
    server.use('/inner', router);
    server.post('/hook', expressGuard(kit, { token: 'request' }), (request, response) => {
      response.end(JSON.stringify(who(verifiedOf(request), null, (request as unknown as { body: unknown }).body)));
    });
    return listening(server);
  };
}

const servers: readonly (readonly [name: string, start: (kit: AppKit) => Promise<Running>])[] = [
  [
    'node:http',
    (kit) =>
      listening((request, response) => {
        void (async () => {
          if (await answerNode(kit, request, response)) return;
          const path = request.url?.split('?')[0];
          const token = await guardNode(kit, { token: path === '/inner/api' ? 'session' : 'request' }, request, response);
          if (token === null) return;
          const chunks: Buffer[] = [];
          for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
          const text = Buffer.concat(chunks).toString();
          const session = path === '/page' ? kit.issueSession(token) : null;
          response.end(JSON.stringify(who(token, session, text === '' ? null : JSON.parse(text))));
        })();
      }),
  ],
  ['Express 4', express(express4())],
  ['Express 5', express(express5())],
  [
    'Fastify',
    async (kit) => {
      const server = fastify();
      server.addHook('onRequest', fastifyKit(kit));
      server.get('/page', { onRequest: fastifyGuard(kit, { token: 'request' }) }, async (request) => {
        const token = verifiedOf(request);
        return who(token, kit.issueSession(token));
      });
      server.get('/inner/api', { onRequest: fastifyGuard(kit, { token: 'session' }) }, async (request) => who(verifiedOf(request), null));
      server.post('/hook', { onRequest: fastifyGuard(kit, { token: 'request' }) }, async (request) =>
        who(verifiedOf(request), null, request.body),
      );
      await server.listen({ port: 0, host: '127.0.0.1' });
      return { port: (server.server.address() as AddressInfo).port, close: () => server.close() };
    },
  ],
  [
    'Hono',
    async (kit) => {
      const server = new Hono();
      server.use(honoKit(kit));
      server.get('/page', honoGuard(kit, { token: 'request' }), (context) => {
        const token = verifiedOf(context);
        return context.json(who(token, kit.issueSession(token)));
      });
      server.get('/inner/api', honoGuard(kit, { token: 'session' }), (context) => context.json(who(verifiedOf(context), null)));
      server.post('/hook', honoGuard(kit, { token: 'request' }), async (context) =>
        context.json(who(verifiedOf(context), null, await context.req.json())),
      );
      return new Promise((resolve) => {
        const running = serve({ fetch: server.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
          resolve({ port, close: () => void running.close() }),
        );
      });
    },
  ],
  [
    'Koa',
    (kit) => {
      const server = new Koa();
      server.use(koaKit(kit));
      const [byRequest, bySession] = [koaGuard(kit, { token: 'request' }), koaGuard(kit, { token: 'session' })];
      // What Koa's routers do: the route's own middleware, then its handler. And a mounted application: it sees what is left of the path.
      server.use((context) => {
        const { path } = context;
        context.path = '/';
        return (path === '/inner/api' ? bySession : byRequest)(context, async () => {
          const token = verifiedOf(context);
          expect(verifiedOf(context.req)).toBe(token);
          const chunks: Buffer[] = [];
          for await (const chunk of context.req as AsyncIterable<Buffer>) chunks.push(chunk);
          const text = Buffer.concat(chunks).toString();
          context.body = who(token, path === '/page' ? kit.issueSession(token) : null, text === '' ? null : JSON.parse(text));
        });
      });
      const answer = server.callback();
      return listening((request, response) => void answer(request, response));
    },
  ],
];

describe.each(servers)('an App on %s', (_, start) => {
  let running: Running;
  let tenant: FakeTenant;
  const send = (request: AppRequest) => sendRaw(running.port, request);
  const get = (rawTarget: string, headers: AppRequest['headers'] = {}): AppRequest => ({
    method: 'GET',
    rawTarget,
    headers,
    body: new Uint8Array(),
  });

  beforeAll(async () => {
    running = await start(kitOf());
    tenant = host.tenant('tenant-a');
  });
  afterAll(() => running.close());

  test('shows its descriptor, is installed, enabled, called by page and by hook, and uninstalled', async () => {
    const descriptor = await send(get('/atlassian-connect.json'));
    expect([descriptor.status, JSON.parse(descriptor.body)]).toMatchObject([200, { key, baseUrl: appBaseUrl }]);
    expect((await send(tenant.installed())).status).toBe(204);
    expect((await send(tenant.enabled())).status).toBe(204);
    const page = await send(tenant.page("/page?q=a+b&q=%C3%A9&x[y]=1&__proto__=z&p=it's", { sub: 'user-1' }));
    expect([page.status, page.body]).toEqual([200, expect.stringContaining('"clientKey":"tenant-a"')]);
    const { session } = JSON.parse(page.body) as { session: string };
    const api = await send(get('/inner/api?a=1', { authorization: `Bearer ${session}` }));
    expect([api.status, JSON.parse(api.body)]).toMatchObject([200, { kind: 'session', accountId: 'user-1' }]);
    const hook = await send(tenant.request('POST', '/hook?a=1', { body: '{"timestamp":1}' }));
    expect([hook.status, JSON.parse(hook.body)]).toMatchObject([200, { kind: 'request', body: { timestamp: 1 } }]);
    expect((await send(tenant.uninstalled())).status).toBe(204);
    expect((await send(tenant.request('GET', '/page'))).status).toBe(401);
    expect((await send(tenant.installed())).status).toBe(204);
  });

  test.each<[string, () => AppRequest]>([
    ['no token', () => get('/page')],
    ['a session where a request is asked for', () => get('/page', { authorization: 'Bearer x' })],
    ['a token of another target', () => ({ ...tenant.request('GET', '/page?a=1'), rawTarget: '/page?a=2' })],
    ['a parameter more', () => ({ ...tenant.request('GET', '/page?a=1'), rawTarget: '/page?a=1&a=2' })],
    ['a nested parameter instead', () => ({ ...tenant.request('GET', '/page?x[a]=1'), rawTarget: '/page?x[b]=1' })],
    ['__proto__ more', () => ({ ...tenant.request('GET', '/page'), rawTarget: '/page?__proto__=1' })],
    ['another method', () => ({ ...tenant.request('GET', '/hook'), method: 'POST' })],
    [
      'two Authorization headers',
      () => {
        const request = tenant.request('GET', '/page');
        const value = String(request.headers['authorization']);
        return { ...request, headers: { authorization: [value, value] } };
      },
    ],
    [
      'header and query',
      () => {
        const page = tenant.page('/page');
        return { ...page, headers: { authorization: `JWT ${tenant.sign({ qsh: tenant.qsh('GET', '/page') })}` } };
      },
    ],
    [
      'jwt twice in the query',
      () => {
        const page = tenant.page('/page');
        return { ...page, rawTarget: `${page.rawTarget}&%6Awt=${page.rawTarget.split('jwt=')[1] ?? ''}` };
      },
    ],
    ['a token in acpt', () => get(`/page?acpt=${tenant.sign({})}`)],
    ['a token in X-acpt', () => get('/page', { 'x-acpt': tenant.sign({ qsh: tenant.qsh('GET', '/page') }) })],
    ['a lower-case scheme', () => get('/page', { authorization: `jwt ${tenant.sign({ qsh: tenant.qsh('GET', '/page') })}` })],
    ['Bearer', () => get('/page', { authorization: `Bearer ${tenant.sign({ qsh: tenant.qsh('GET', '/page') })}` })],
    ['an install that is not signed', () => ({ ...tenant.installed(), headers: {} })],
    ['an install with a query that was not signed', () => ({ ...tenant.installed(), rawTarget: '/installed?user_key=x' })],
  ])('refuses %s, and says nothing', async (_title, make) => {
    logged.length = 0;
    const { status, body } = await send(make());
    expect(status).toBe(401);
    expect(JSON.parse(body)).toEqual({ code: 'app_kit.unauthorized', message: 'The request carries no token that counts here.' });
    expect(logged, 'why, is in the log').toMatchObject([
      { code: 'app_kit.unauthorized', detail: expect.stringMatching(/^[\w /]+$/) as string },
    ]);
    // Control.
    expect((await send(tenant.installed())).status).toBe(204);
    expect((await send(tenant.request('GET', '/page'))).status).toBe(200);
  });

  test('a token in a form is none', async () => {
    const token = tenant.sign({ qsh: tenant.qsh('POST', '/hook') });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await send({ method: 'POST', rawTarget: '/hook', headers, body: Buffer.from(`jwt=${token}`) })).status).toBe(401);
  });

  test('a body that is too large, or none, is answered and not waited for', async () => {
    const large = { ...tenant.installed(), body: Buffer.alloc(70_000, ' ') };
    expect(
      await send(large).then(
        ({ status }) => status,
        () => 413,
      ),
    ).toBe(413);
    expect((await send({ ...tenant.installed(), body: new Uint8Array() })).status).toBe(400);
    expect((await send({ ...tenant.installed(), body: Buffer.from('{"key":') })).status).toBe(400);
    expect((await send(get('/installed'))).status).toBe(400);
  });
});

test('behind a body parser the kit says what is wrong instead of waiting', async () => {
  const make = express4();
  const server = make();
  server.use(make.json());
  server.use(expressKit(kitOf()));
  let told: unknown;
  server.use(((failure: unknown, _request: unknown, response: { statusCode: number; end(): void }, _next: unknown) => {
    told = failure;
    response.statusCode = 500;
    response.end();
  }) as unknown as ExpressHandler);
  const running = await listening(server);
  expect((await sendRaw(running.port, host.tenant('t').installed())).status).toBe(500);
  expect(String(told)).toContain('before every body parser');
  await running.close();
});

test('of a body without an end no more is read than may come', async () => {
  let given = 0;
  const endless = (function* () {
    for (; given < 10_000_000; given += 16_384) yield Buffer.alloc(16_384, ' ');
  })();
  const message = Object.assign(Readable.from(endless, { objectMode: false }), { method: 'POST', url: '/installed', headersDistinct: {} });
  expect(await answerMessage(kitOf(), message as unknown as IncomingMessage, '/installed')).toMatchObject({ status: 413 });
  expect(given).toBeLessThan(300_000);
});
