import { createHmac } from 'node:crypto';
import { approveFunctions, FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetWebtriggerUses } from './forget-webtrigger-uses.ts';
import { webtriggerAnswer } from './webtrigger-answer.ts';

const QUOTA = 10;
const runner = new FakeRunner();
let world: World;
let app: FakeApp;

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address], rateLimits: { webtrigger: 2 } });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  const manifest = {
    app: 'notes',
    functions: ['answer', 'echo'].map((key) => ({ key, handler: `index.${key}` })),
    webtriggers: [
      { key: 'open', function: 'answer', authentication: { type: 'none' } },
      { key: 'bearer', function: 'answer', authentication: { type: 'bearer' } },
      { key: 'slack', function: 'answer', authentication: { type: 'hmac', scheme: 'slack' } },
      { key: 'broken', function: 'echo', authentication: { type: 'hmac', scheme: 'slack' } },
    ],
  };
  const deployed = await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code: 'export {};' });
  expect(deployed.status, deployed.text).toBe(201);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function tenant(): Promise<string> {
  const { id } = await world.application();
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' })).status).toBe(201);
  await approveFunctions(world, id, 'notes');
  return id;
}
const at = (id: string, trigger: string, headers: Record<string, string> = {}, body: unknown = {}) =>
  world.call('POST', `/f/${id}/notes/${trigger}`, { headers, body });
const rotate = (id: string, trigger: string, body: Record<string, unknown> = {}) =>
  world.meta('POST', `/applications/${id}/installs/notes/webtriggers/${trigger}/secret`, body);
const withBearer = (id: string, secret: string) => at(id, 'bearer', { authorization: `Bearer ${secret}` });

function bySlack(secret: string, body: string, seconds = Math.floor(world.clock.now() / 1_000)) {
  const signature = `v0=${createHmac('sha256', secret).update(`v0:${seconds}:${body}`).digest('hex')}`;
  return { 'content-type': 'application/json', 'x-slack-request-timestamp': String(seconds), 'x-slack-signature': signature };
}

describe('T5: calls of a web trigger', () => {
  test('of one tenant beyond its rate are answered 429 with Retry-After; another hears nothing of them', async () => {
    const [noisy, quiet] = [await tenant(), await tenant()];
    const flood = Promise.all(Array.from({ length: 20 * QUOTA }, () => at(noisy, 'open')));
    const calm = [];
    for (let call = 0; call < QUOTA; call++) calm.push((await at(quiet, 'open')).status);
    expect(calm).toEqual(Array.from({ length: QUOTA }, () => 200));
    const answers = await flood;
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.length - refused.length).toBeLessThanOrEqual(QUOTA);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    expect(refused.every(({ headers }) => Number(headers.get('retry-after')) >= 1)).toBe(true);
  });

  test('that prove nothing spend nothing of the rate of whose address they use', async () => {
    const id = await tenant();
    const { secret } = (await rotate(id, 'bearer')).json;
    for (let call = 0; call < 3 * QUOTA; call++) expect((await withBearer(id, 'bhs_invented')).status).toBe(404);
    expect((await withBearer(id, secret)).status).toBe(200);
  });
});

describe('what is not there', () => {
  test('is one and the same answer, whatever is missing', async () => {
    const [id, off] = [await tenant(), await tenant()];
    const { secret } = (await rotate(id, 'bearer')).json;
    await world.meta('POST', `/applications/${off}/installs/notes/disable`);
    const bare = (await world.application()).id;
    const answers = [
      await at(`app${'A'.repeat(22)}`, 'open'),
      await at('nobody', 'open'),
      await at(bare, 'open'),
      await at(off, 'open'),
      await at(id, 'nothing'),
      await at(id, 'open@staging'),
      await at(id, 'bearer'),
      await withBearer(id, 'bhs_invented'),
      await at(id, 'slack'),
    ];
    const said = answers.map(({ status, text, headers }) => [
      status,
      text.replaceAll(/"id":"[^"]*"/g, ''),
      [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
    ]);
    expect(said[0]![0]).toBe(404);
    for (const each of said) expect(each).toEqual(said[0]);
    expect((await withBearer(id, secret)).status, 'control').toBe(200);
  });
});

describe('a secret', () => {
  test('that is replaced counts beside the new one until its time is over, and not at all with an overlap of 0', async () => {
    const id = await tenant();
    const first = (await rotate(id, 'bearer')).json.secret;
    const second = (await rotate(id, 'bearer', { overlap_seconds: 60 })).json.secret;
    expect([(await withBearer(id, first)).status, (await withBearer(id, second)).status]).toEqual([200, 200]);
    world.clock.advance(61_000);
    expect([(await withBearer(id, first)).status, (await withBearer(id, second)).status]).toEqual([404, 200]);
    const third = (await rotate(id, 'bearer', { overlap_seconds: 0 })).json.secret;
    expect([(await withBearer(id, second)).status, (await withBearer(id, third)).status]).toEqual([404, 200]);
  });

  test.each([
    ['open', {}, 409, 'webtrigger.needs_no_secret'],
    ['nothing', {}, 404, 'webtrigger.unknown'],
    ['bearer', { secret: 'short' }, 400, 'request.invalid'],
    ['bearer', { secret: 'with a space in it, which is no header' }, 400, 'request.invalid'],
    ['bearer', { overlap_seconds: 8 * 86_400 }, 400, 'request.invalid'],
  ])('of %s with %j is refused', async (trigger, body, status, code) => {
    const answer = await rotate(await tenant(), trigger, body);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });
});

describe('a signed request', () => {
  test('calls once; one that came to nothing may come again', async () => {
    const id = await tenant();
    const given = 'the signing secret that Slack shows';
    for (const trigger of ['slack', 'broken']) expect((await rotate(id, trigger, { secret: given.replaceAll(' ', '-') })).status).toBe(200);
    const signed = bySlack(given.replaceAll(' ', '-'), '{"once":1}');
    const statuses = async (trigger: string) => [
      (await at(id, trigger, signed, '{"once":1}')).status,
      (await at(id, trigger, signed, '{"once":1}')).status,
    ];
    expect(await statuses('broken')).toEqual([502, 502]);
    expect(await statuses('slack')).toEqual([200, 409]);
    // Its digest is kept as long as its time would count, and no longer.
    await forgetWebtriggerUses(world.platform.db, new Date(world.clock.now() + 599_000));
    expect((await at(id, 'slack', signed, '{"once":1}')).status).toBe(409);
    await forgetWebtriggerUses(world.platform.db, new Date(world.clock.now() + 601_000));
    expect((await at(id, 'slack', signed, '{"once":1}')).status, 'control: what is forgotten would call again').toBe(200);
  });

  test('of ten at once calls once', async () => {
    const id = await tenant();
    await rotate(id, 'slack', { secret: 'a-secret-of-sixteen' });
    const signed = bySlack('a-secret-of-sixteen', '{"ten":1}');
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await at(id, 'slack', signed, '{"ten":1}')).status));
    expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
  });
});

describe('what a function answers', () => {
  const read = (answer: unknown) => webtriggerAnswer(JSON.stringify(answer));
  test.each([
    'set-cookie',
    'access-control-allow-origin',
    'content-security-policy',
    'strict-transport-security',
    'www-authenticate',
    'x-accel-redirect',
    'x-sendfile',
    'service-worker-allowed',
    'clear-site-data',
    'transfer-encoding',
    'content-length',
    'link',
    'refresh',
  ])('says nothing in %s on our name', (name) => {
    const answer = read({ statusCode: 200, headers: { [name.toUpperCase()]: ['chosen'], 'x-app-own': ['kept'] }, body: 'x' });
    expect(answer).toMatchObject({ headers: { 'x-app-own': 'kept' } });
    expect(JSON.stringify(answer)).not.toContain('chosen');
  });

  test('runs no script, has no origin and is used by no other page, whatever it is', () => {
    expect(read({ statusCode: 200, headers: { 'content-type': 'text/html' }, body: '<script>1</script>' })).toMatchObject({
      headers: {
        'content-type': 'text/html',
        'content-security-policy': expect.stringMatching(/default-src 'none'.*; sandbox$/),
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      },
    });
    for (const type of ['text/javascript', 'application/ECMAScript; charset=utf-8', 'application/wasm'])
      expect(read({ statusCode: 200, headers: { 'content-type': type }, body: '1' })).toMatchObject({
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      });
  });

  test.each([
    ['nothing', null],
    ['a text', 'x'],
    ['no status', { body: 'x' }],
    ['a status below 200', { statusCode: 101 }],
    ['a status of two', { statusCode: [200] }],
    ['a line break in a header', { statusCode: 200, headers: { 'x-app-a': 'b\r\nset-cookie: c' } }],
    ['two types', { statusCode: 200, headers: { 'content-type': ['a/b', 'c/d'] } }],
    ['a place of another scheme', { statusCode: 302, headers: { location: ['javascript:alert(1)'] } }],
    ['a reason with a line break', { statusCode: 200, statusText: 'a\r\nb' }],
    ['headers of more than 8 KiB', { statusCode: 200, headers: { 'x-app-a': 'x'.repeat(9_000) } }],
  ])('is none with %s', (_, answer) => {
    expect(typeof read(answer)).toBe('string');
  });
});
