import { createHmac } from 'node:crypto';
import { Secret, silentLog } from '@bulkhead/base';
import { signWebhook } from '@bulkhead/protocol';
import { approveFunctions, type FakeApp, type HttpAnswer, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunnerProcess } from './runner-process.ts';

// Through the real doors: the public address, the process of the runner, the engine in its own processes.
let world: World;
let runner: RunnerProcess;
let app: FakeApp;
const tenants: string[] = [];

const code = `
const storage = async (body) => (await fetch('http://host.bulkhead.internal/storage', { method: 'POST', body: JSON.stringify(body) })).json();
export const count = async (request, context) => {
  const { value = 0 } = await storage({ op: 'get', key: 'calls' });
  await storage({ op: 'set', key: 'calls', value: value + 1 });
  return { statusCode: 200, headers: { 'content-type': ['application/json'] }, body: JSON.stringify({ calls: value + 1, in: context.applicationId }) };
};
export const echo = (request) => ({ statusCode: 201, headers: { 'x-app-saw': [request.method] }, body: JSON.stringify(request) });
export const back = ({ body, isBase64Encoded }) => ({ statusCode: 200, headers: { 'content-type': 'application/octet-stream' }, body, isBase64Encoded });
export const wrong = () => 'no answer';
export const bad = () => { throw new Error('a secret of the code'); };
export const spin = () => { while (true); };
export const given = ({ body }) => JSON.parse(body);
`;
const keys = ['count', 'echo', 'back', 'wrong', 'bad', 'spin', 'given'];

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  runner = new RunnerProcess({ acceptProcess: true, apiUrl: () => world.url, log: silentLog });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  for (let made = 0; made < 2; made++) {
    const { id } = await world.application();
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    tenants.push(id);
  }
  const manifest = {
    app: 'notes',
    functions: keys.map((key) => ({ key, handler: `index.${key}` })),
    webtriggers: [
      ...keys.map((key) => ({ key, function: key, authentication: { type: 'none' } })),
      { key: 'by-bearer', function: 'echo', authentication: { type: 'bearer' } },
      { key: 'by-standard', function: 'count', authentication: { type: 'hmac', scheme: 'standard-webhooks' } },
      { key: 'by-github', function: 'count', authentication: { type: 'hmac', scheme: 'github' } },
    ],
  };
  const deployed = await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code });
  expect(deployed.status, deployed.text).toBe(201);
  // That anybody may call is to be approved.
  for (const tenant of tenants) await approveFunctions(world, tenant, 'notes');
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await runner.close();
  await app[Symbol.asyncDispose]();
});

interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
const at = (tenant: string, trigger: string, { method = 'POST', headers = {}, body }: Call = {}): Promise<HttpAnswer> =>
  world.call(method, `/f/${tenant}/notes/${trigger}`, { headers, ...(body === undefined ? {} : { body }) });

async function secretOf(tenant: string, trigger: string, body: Record<string, unknown> = {}) {
  const answer = await world.meta('POST', `/applications/${tenant}/installs/notes/webtriggers/${trigger}/secret`, body);
  expect(answer.status, answer.text).toBe(200);
  return answer.json as { secret: string; signing_secret: string; url: string };
}

function signed(
  signingSecret: string,
  body: string,
  { id = `msg_${Math.random()}`, at: seconds = Math.floor(world.clock.now() / 1_000) } = {},
) {
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': signWebhook([new Secret(signingSecret)], { id, timestamp: seconds, body }),
    },
  };
}

describe('a web trigger', () => {
  test('calls the function of the install whose address it is: each tenant has its own number', async () => {
    const calls = [tenants[0]!, tenants[0]!, tenants[1]!];
    const answers = [];
    for (const tenant of calls) answers.push((await at(tenant, 'count')).json);
    expect(answers).toEqual([
      { calls: 1, in: tenants[0] },
      { calls: 2, in: tenants[0] },
      { calls: 1, in: tenants[1] },
    ]);
  });

  test('tells the function the request: method, headers, query, what follows the address, and the body as text', async () => {
    const answer = await at(tenants[0]!, 'echo/below//%20x?a=1&a=2&b', {
      headers: { 'x-mine': 'yes', cookie: 'bulkhead=1' },
      body: 'häus',
    });
    expect([answer.status, answer.headers.get('x-app-saw')]).toEqual([201, 'POST']);
    const { headers, ...told } = answer.json;
    expect(told).toEqual({
      method: 'POST',
      body: expect.stringContaining('häus'),
      isBase64Encoded: false,
      path: `/f/${tenants[0]}/notes/echo/below//%20x`,
      userPath: '/below//%20x',
      queryParameters: { a: ['1', '2'], b: [''] },
    });
    expect(headers['x-mine']).toEqual(['yes']);
    expect(headers).not.toHaveProperty('cookie');
  });

  test('passes bytes that are no text both ways', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 200]);
    const answer = await fetch(`${world.url}/f/${tenants[0]}/notes/back`, { method: 'PUT', body: bytes });
    expect([answer.status, Buffer.from(await answer.arrayBuffer())]).toEqual([200, bytes]);
  });

  test.each([
    ['wrong', 502, 'webtrigger.failed'],
    ['bad', 502, 'webtrigger.failed'],
    ['spin', 504, 'webtrigger.late'],
  ])('whose function gives no answer (%s) says so and nothing else', async (trigger, status, code) => {
    const answer = await at(tenants[1]!, trigger);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.text).not.toContain('a secret of the code');
  });

  test('leaves in the log of its call why what it returned is no answer', async () => {
    await at(tenants[1]!, 'given', { body: '{"statusCode":99}' });
    const { objects } = (await world.meta('GET', `/applications/${tenants[1]}/installs/notes/logs`)).json;
    expect(objects.at(-1)).toMatchObject({
      outcome: 'ok',
      lines: [{ level: 'error', message: expect.stringMatching(/^no answer of a web trigger: statusCode: /) }],
    });
  });
});

describe('a caller', () => {
  test('with a bearer secret is let in by that of the tenant and the trigger alone, and the function never sees it', async () => {
    const { secret } = await secretOf(tenants[0]!, 'by-bearer');
    const other = await secretOf(tenants[1]!, 'by-bearer');
    const call = (tenant: string, authorization: string) => at(tenant, 'by-bearer', { headers: { authorization } });
    const good = await call(tenants[0]!, `Bearer ${secret}`);
    expect(good.status).toBe(201);
    expect(good.text).not.toContain(secret);
    for (const answer of [
      await call(tenants[1]!, `Bearer ${secret}`),
      await call(tenants[0]!, `Bearer ${other.secret}`),
      await call(tenants[0]!, `Bearer ${secret}x`),
      await call(tenants[0]!, `Basic ${secret}`),
      await at(tenants[0]!, 'by-bearer'),
      await at(tenants[0]!, 'by-github', { headers: { authorization: `Bearer ${secret}` } }),
    ])
      expect([answer.status, answer.json.code]).toEqual([404, 'webtrigger.not_found']);
  });

  test('that signs by Standard Webhooks is let in once per signature, lately signed, and over these bytes', async () => {
    const { signing_secret: key } = await secretOf(tenants[0]!, 'by-standard');
    const now = Math.floor(world.clock.now() / 1_000);
    const good = signed(key, '{"a":1}');
    expect((await at(tenants[0]!, 'by-standard', good)).status).toBe(200);
    expect((await at(tenants[0]!, 'by-standard', good)).json.code).toBe('webtrigger.replayed');
    // What is not signed makes it no other request.
    expect((await at(tenants[0]!, 'by-standard/elsewhere?x', good)).json.code).toBe('webtrigger.replayed');
    expect((await at(tenants[0]!, 'by-standard', signed(key, '{"a":1}', { at: now - 299 }))).status).toBe(200);
    for (const bad of [
      { ...signed(key, '{"a":2}'), body: '{"a":3}' },
      signed(key, '{"a":4}', { at: now - 302 }),
      signed(key, '{"a":5}', { at: now + 302 }),
      signed(`whsec_${Buffer.alloc(32).toString('base64')}`, '{"a":6}'),
    ])
      expect((await at(tenants[0]!, 'by-standard', bad)).status).toBe(404);
  });

  test('that signs as GitHub does is let in', async () => {
    const { secret } = await secretOf(tenants[1]!, 'by-github');
    const body = '{"ref":"main"}';
    const hex = createHmac('sha256', secret).update(body).digest('hex');
    const call = (signature: string) => at(tenants[1]!, 'by-github', { body, headers: { 'x-hub-signature-256': `sha256=${signature}` } });
    expect((await call(hex)).status).toBe(200);
    expect((await call('0'.repeat(64))).status).toBe(404);
  });
});
