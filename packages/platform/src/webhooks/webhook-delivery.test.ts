import { Secret } from '@bulkhead/base';
import { signKloudlessWebhook, webhookMessage } from '@bulkhead/protocol';
import { World } from '@bulkhead/testkit';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accept, type Receiver, startReceiver, withStatus } from '../../test/receiver.ts';

let world: World;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  world = await World.create({ egressAllow: [receiver.address] });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer = accept;
});

/** An Application with events on and one webhook; `path` keeps its calls apart. */
async function withWebhook(fields: Record<string, unknown> = {}) {
  const application = await world.application({ events_enabled: true });
  const below = `/applications/${application.id}/webhooks`;
  const made = await world.meta('POST', below, { url: receiver.url, events: ['account.*'], ...fields });
  expect(made.status, made.text).toBe(201);
  return {
    ...application,
    webhook: made.json as { id: string; secret: string; signing_secret: string },
    path: `${below}/${made.json.id}`,
    connect: (account = 'one@example.com') => connect(application.apiKey, account),
    deliveries: async (query = '') => (await world.meta('GET', `${below}/${made.json.id}/deliveries${query}`)).json.objects,
    health: async () => (await world.meta('GET', `${below}/${made.json.id}`)).json,
  };
}

async function connect(apiKey: string, account: string): Promise<number> {
  const answer = await world.call('POST', '/v1/accounts', {
    headers: { authorization: `APIKey ${apiKey}` },
    body: { service: 'gdrive', account, token: 'upstream-token' },
  });
  expect(answer.status, answer.text).toBe(201);
  return answer.json.id;
}

describe('W1: an account is connected', () => {
  test('and a Standard Webhook arrives that the standard library verifies', async () => {
    const { id, webhook, connect, deliveries } = await withWebhook();
    const account = await connect();
    expect(await world.platform.runDueDeliveries()).toBe(1);
    const [got] = receiver.received;
    const headers = got!.headers;
    expect(headers['content-type']).toBe('application/json');
    const message = webhookMessage.parse(new StandardWebhook(webhook.signing_secret).verify(got!.body, headers));
    expect(message).toMatchObject({
      type: 'account.connected',
      data: { application_id: id, account_id: account, detail: { service: 'gdrive' } },
    });
    expect(headers['webhook-id']).toBe(message.data.id);
    expect(await deliveries()).toMatchObject([
      {
        status: 'delivered',
        attempts: 1,
        event: 'account.connected',
        message_id: message.data.id,
        log: [{ status: 200, failure: null, excerpt: 'ok' }],
      },
    ]);
    // Control: with another secret the same call is refused.
    const other = (await withWebhook()).webhook.signing_secret;
    expect(() => new StandardWebhook(other).verify(got!.body, headers)).toThrow();
  });

  test("and Kloudless's form arrives, signed over the raw body, to be answered with the Application's id", async () => {
    const { id, webhook, connect, deliveries, health } = await withWebhook({ format: 'kloudless' });
    receiver.answer = withStatus(200, {}, id);
    const account = await connect();
    await world.platform.runDueDeliveries();
    const [got] = receiver.received;
    expect(got!.body).toBe(`account=${account}`);
    expect(got!.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(got!.headers['x-kloudless-signature']).toBe(signKloudlessWebhook(new Secret(webhook.secret), got!.body));
    expect(await deliveries()).toMatchObject([{ status: 'delivered' }]);
    // Control: another answer is no acceptance.
    receiver.answer = withStatus(200, {}, 'ok');
    world.clock.advance(1_000);
    await connect('two@example.com');
    await world.platform.runDueDeliveries();
    expect((await deliveries())[0]).toMatchObject({ status: 'pending', log: [{ status: 200, failure: 'wrong_echo' }] });
    expect((await health()).health).toMatchObject({ status: 'failing', last_failure_reason: 'wrong_echo' });
  });

  test('and what was rolled back is never sent', async () => {
    const { apiKey, connect } = await withWebhook();
    const refused = await world.call('POST', '/v1/accounts', {
      headers: { authorization: `APIKey ${apiKey}` },
      body: { service: 'no-such-service', account: 'x', token: 'y' },
    });
    expect(refused.status).toBe(400);
    expect(await world.platform.runDueDeliveries()).toBe(0);
    // Control: what commits is.
    await connect();
    expect(await world.platform.runDueDeliveries()).toBe(1);
  });
});

describe('a webhook', () => {
  test.each<[string, Record<string, unknown>, readonly string[]]>([
    ['that names no types gets every event', { events: null }, ['account.connected', 'application.updated']],
    ['that names a kind with a star gets that kind', { events: ['account.*'] }, ['account.connected']],
    ['that names one type gets that type', { events: ['application.updated'] }, ['application.updated']],
    ['that names others gets nothing', { events: ['webhook.disabled'] }, []],
    ['of Kloudless’s format gets what concerns an account', { events: null, format: 'kloudless' }, ['account.connected']],
    ['that is switched off gets nothing', { events: null, active: false }, []],
  ])('%s', async (_, { active, ...fields }, types) => {
    const { id, path, connect, deliveries } = await withWebhook(fields);
    if (active === false) expect((await world.meta('PATCH', path, { active })).status).toBe(200);
    const other = await withWebhook({ events: null });
    // What is owed already: setting up webhooks is a change of the Application.
    await world.platform.runDueDeliveries();
    world.clock.advance(1_000);
    const seen = { own: (await deliveries()).length, other: (await other.deliveries()).length };
    await connect();
    expect((await world.meta('PATCH', `/applications/${id}`, { description: 'changed' })).status).toBe(200);
    const owed: { event: string }[] = (await deliveries()).slice(0, (await deliveries()).length - seen.own);
    expect(owed.map(({ event }) => event).toSorted()).toEqual(types);
    // Control: another Application's webhook for everything gets nothing of it.
    expect((await other.deliveries()).length).toBe(seen.other);
    await world.platform.runDueDeliveries();
  });
});

describe('W4: a rotation', () => {
  test('leaves the secret before signing for a day, and not a moment longer', async () => {
    const { webhook, path, connect } = await withWebhook();
    const rotated = (await world.meta('POST', `${path}/rotate_secret`)).json;
    const verifies = (secret: string) => {
      const got = receiver.received.at(-1)!;
      // The library looks at the clock of the machine; here it is a signature that is asked about, so one at a time.
      const [id, signature] = [got.headers['webhook-id']!, got.headers['webhook-signature']!];
      const at = new Date(Number(got.headers['webhook-timestamp']) * 1_000);
      return signature.split(' ').includes(new StandardWebhook(secret).sign(id, at, got.body));
    };
    await connect('before@example.com');
    await world.platform.runDueDeliveries();
    expect([webhook.signing_secret, rotated.signing_secret].map(verifies)).toEqual([true, true]);
    world.clock.advance(86_400_001);
    await connect('after@example.com');
    await world.platform.runDueDeliveries();
    expect([webhook.signing_secret, rotated.signing_secret].map(verifies)).toEqual([false, true]);
    const leaked = (await world.meta('POST', `${path}/rotate_secret`, { overlap_seconds: 0 })).json;
    await connect('leaked@example.com');
    await world.platform.runDueDeliveries();
    expect([rotated.signing_secret, leaked.signing_secret].map(verifies)).toEqual([false, true]);
  });
});

describe('W2: an endpoint that says it is gone', () => {
  test('is stopped with an event, and enabled again gets what it missed; a span can be replayed', async () => {
    const { apiKey, path, connect, health } = await withWebhook();
    receiver.answer = withStatus(410);
    await connect('gone@example.com');
    await world.platform.runDueDeliveries();
    expect(await health()).toMatchObject({ active: false, health: { status: 'disabled', reason: 'gone' } });
    // A transaction that is open anywhere on the server holds the log's readers back.
    const log = async () => (await world.call('GET', '/v1/events', { headers: { authorization: `APIKey ${apiKey}` } })).text;
    await expect.poll(log).toContain('webhook.disabled');
    receiver.answer = accept;
    await connect('missed@example.com');
    expect(await world.platform.runDueDeliveries()).toBe(0);
    expect((await world.meta('POST', `${path}/replay`, { since: '2020-01-01T00:00:00Z' })).json.error_code).toBe('request_failed');
    await world.meta('PATCH', path, { active: true });
    expect(await world.platform.runDueDeliveries()).toBe(2);
    expect(await health()).toMatchObject({ active: true, health: { status: 'healthy' } });
    world.clock.advance(1_000);
    const span = { since: '2020-01-01T00:00:00Z', statuses: ['delivered'] };
    expect((await world.meta('POST', `${path}/replay`, span)).json).toMatchObject({ replayed: 2, remaining: false });
    expect(await world.platform.runDueDeliveries()).toBe(2);
    const ids = receiver.received.map(({ headers, body }) => `${headers['webhook-id']} ${body}`);
    // Once refused, then sent and replayed; once sent and replayed: of each the same id and bytes.
    expect(ids).toHaveLength(5);
    expect(new Set(ids).size).toBe(2);
  });
});

test("a test sends a signed message at once, in Kloudless's format an empty one, and says what came of it", async () => {
  const standard = await withWebhook();
  expect((await world.meta('POST', `${standard.path}/test`)).json).toMatchObject({ delivered: true, attempt: { status: 200 } });
  expect(webhookMessage.parse(JSON.parse(receiver.received[0]!.body)).type).toBe('webhook.test');
  const { id, webhook, path } = await withWebhook({ format: 'kloudless' });
  expect((await world.meta('POST', `${path}/test`)).json).toMatchObject({ delivered: false, attempt: { failure: 'wrong_echo' } });
  receiver.answer = withStatus(200, {}, id);
  expect((await world.meta('POST', `${path}/test`)).json).toMatchObject({ delivered: true });
  const { body, headers } = receiver.received.at(-1)!;
  expect(body).toBe('');
  expect(headers['x-kloudless-signature']).toBe(signKloudlessWebhook(new Secret(webhook.secret), ''));
});
