import { Secret } from '@bulkhead/base';
import { queryStringHash, readConnectJwt, sharedSecretKey, verifyConnectJwt } from '@bulkhead/protocol';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fillVariables } from './app-webhooks.ts';

let app: FakeApp;
let world: World;
let applicationId: string;
let apiKey: string;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  app.descriptor['modules'] = {
    webhooks: [
      { event: 'account.connected', url: '/connected/{account.id}?type={event.type}&none={account.colour}' },
      { event: 'account.deleted', url: '/deleted' },
      { event: 'account.deleted', url: '/bare/{account.id}', excludeBody: true },
    ],
  };
  world = await World.create({ egressAllow: [app.address] });
  expect((await world.meta('POST', '/apps', { descriptor: app.descriptor })).status).toBe(201);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  ({ id: applicationId, apiKey } = await world.application({ events_enabled: true }));
  app.answer = () => ({ status: 204 });
});

const installs = () => `/applications/${applicationId}/installs`;
async function install(): Promise<string> {
  expect((await world.meta('POST', installs(), { app_key: 'notes', scopes: ['READ'] })).status).toBe(201);
  await world.platform.runDueDeliveries();
  const { sharedSecret } = app.calls.findLast(({ path }) => path === '/installed')!.body;
  app.calls.length = 0;
  return sharedSecret;
}
async function connect(account: string): Promise<number> {
  const answer = await world.call('POST', '/v1/accounts', {
    headers: { authorization: `APIKey ${apiKey}` },
    body: { service: 'gdrive', account, token: 'x' },
  });
  expect(answer.status, answer.text).toBe(201);
  return answer.json.id;
}

describe('the webhooks of an App', () => {
  test('are called for the events they name, at their address with its variables, signed for just that', async () => {
    const sharedSecret = await install();
    const account = await connect('ada');
    await world.platform.runDueDeliveries();
    expect(app.calls).toHaveLength(1);
    const [call] = app.calls;
    expect(call!.path).toBe(`/connected/${account}?type=account.connected&none=`);
    expect(call!.body).toMatchObject({ webhookEvent: 'account.connected', application_id: applicationId, account_id: account });
    const read = readConnectJwt(call!.authorization!.slice(4));
    if ('refused' in read) throw new Error(read.refused);
    const rules = { algorithm: 'HS256', now: world.clock.now() / 1_000, lifetimeSecondsMax: 180, audience: { absentOr: [] } } as const;
    expect(verifyConnectJwt(read, { ...rules, key: sharedSecretKey(new Secret(sharedSecret)) })).toMatchObject({
      claims: { qsh: queryStringHash({ method: 'POST', target: call!.path }) },
    });
  });

  test('are tried again with a new token and the same bytes; the call is in the log of the App', async () => {
    await install();
    app.answer = () => ({ status: 503 });
    await connect('ada');
    await world.platform.runDueDeliveries();
    app.answer = () => ({ status: 200 });
    world.clock.advance(6_000);
    await world.platform.runDueDeliveries();
    const [first, second] = app.calls;
    expect(second!.body).toEqual(first!.body);
    expect(second!.authorization).not.toBe(first!.authorization);
    const log = (await world.meta('GET', `${installs()}/notes/deliveries`)).json.objects;
    expect(log.find(({ event }: { event: string }) => event === 'account.connected')).toMatchObject({ status: 'delivered', attempts: 2 });
  });

  test('of one second, to one address, are two tokens: an App that takes each token once hears of both', async () => {
    await install();
    const headers = { authorization: `APIKey ${apiKey}` };
    for (const account of [await connect('ada'), await connect('eve')]) await world.call('DELETE', `/v1/accounts/${account}`, { headers });
    await world.platform.runDueDeliveries();
    const deleted = app.calls.filter(({ path }) => path === '/deleted');
    expect(deleted).toHaveLength(2);
    expect(new Set(deleted.map(({ authorization }) => authorization)).size).toBe(2);
  });

  test('with excludeBody are called without one, at the same address and under the same name', async () => {
    await install();
    const account = await connect('ada');
    await world.call('DELETE', `/v1/accounts/${account}`, { headers: { authorization: `APIKey ${apiKey}` } });
    await world.platform.runDueDeliveries();
    const bare = app.calls.find(({ path }) => path.startsWith('/bare/'))!;
    expect([bare.path, bare.body]).toEqual([`/bare/${account}`, null]);
    expect(bare.authorization).toMatch(/^JWT /);
    // Control: the other webhook of the event has it.
    expect(app.calls.find(({ path }) => path === '/deleted')!.body).toMatchObject({ account_id: account });
  });

  test('of an App that is disabled or gone, or in another Application, hear nothing', async () => {
    await install();
    await world.meta('POST', `${installs()}/notes/disable`);
    await connect('ada');
    await world.platform.runDueDeliveries();
    expect(app.calls.map(({ path }) => path)).toEqual(['/disabled']);
    // What waits when it is disabled is not sent either.
    await world.meta('POST', `${installs()}/notes/enable`);
    await world.platform.runDueDeliveries();
    app.calls.length = 0;
    await connect('eve');
    await world.meta('POST', `${installs()}/notes/disable`);
    await world.platform.runDueDeliveries();
    expect(app.calls.map(({ path }) => path)).toEqual(['/disabled']);
    // What happens while it is disabled is not told afterwards.
    await connect('sue');
    await world.meta('POST', `${installs()}/notes/enable`);
    app.calls.length = 0;
    await world.platform.runDueDeliveries();
    expect(app.calls.map(({ path }) => path)).toEqual(['/enabled']);
    app.calls.length = 0;
    const other = await world.application({ events_enabled: true });
    apiKey = other.apiKey;
    await connect('bob');
    await world.platform.runDueDeliveries();
    expect(app.calls).toEqual([]);
  });
});

describe('variables', () => {
  test('are encoded, so that no value makes another address of it', () => {
    const filled = fillVariables('/a/{x}?b={y}&c={z}', { x: '../b/c?d=e', y: "é&'f", z: null });
    expect(filled).toBe('/a/..%2Fb%2Fc%3Fd%3De?b=%C3%A9%26%27f&c=');
    expect(fillVariables('/{__proto__}/{constructor}', {})).toBe('//');
  });
});
