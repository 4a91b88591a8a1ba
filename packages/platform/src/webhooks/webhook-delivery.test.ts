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
