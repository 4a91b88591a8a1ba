import type { ApplicationId } from '@bulkhead/base';
import { webhookMessage } from '@bulkhead/protocol';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accept, type Receiver, startReceiver, withStatus } from '../../test/receiver.ts';
import { appendEvent, type EventType, eventTypes } from '../events/index.ts';

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

async function withWebhook(): Promise<{ id: ApplicationId; webhookId: string }> {
  const { id } = await world.application({ events_enabled: true });
  const made = await world.meta('POST', `/applications/${id}/webhooks`, { url: receiver.url });
  expect(made.status, made.text).toBe(201);
  await world.platform.runDueDeliveries();
  receiver.received.length = 0;
  return { id: id as ApplicationId, webhookId: made.json.id };
}

const append = (id: ApplicationId, type: EventType, accountId: number | null, data: object): Promise<unknown> =>
  world.platform.db.withTenant(id, (tx) =>
    appendEvent(tx, { applicationId: id, type, accountId, at: new Date(world.clock.now()), data } as Parameters<typeof appendEvent>[1]),
  );

describe('what the database writes of an event', () => {
  test.each(Object.entries(eventTypes))('is a message by the schema, with the data of %s', async (type, { of, schema, example }) => {
    const { id } = await withWebhook();
    const account = of === 'account' ? 4_711 : null;
    await append(id, type as EventType, account, example);
    await world.platform.runDueDeliveries();
    const [got, ...more] = receiver.received;
    expect(more).toEqual([]);
    const message = webhookMessage.strict().parse(JSON.parse(got!.body));
    expect(message).toEqual({
      type,
      timestamp: new Date(world.clock.now()).toISOString(),
      data: { id: got!.headers['webhook-id'], application_id: id, account_id: account, detail: schema.parse(example) },
    });
  });
});

describe('T6: the webhooks of a deleted Application', () => {
  const owed = async (id: ApplicationId): Promise<number> => {
    const [row] = await world.platform.db.withSystem('count what is owed', (tx) =>
      tx.query<{ count: number }>(sql`select count(*) as count from deliveries where application_id = ${id}`),
    );
    return Number(row!.count);
  };

  test('are dead within a minute: what was owed to them is never sent, and gone with the rest; a neighbour gets its own', async () => {
    receiver.answer = withStatus(500);
    const [{ id }, neighbour] = [await withWebhook(), await withWebhook()];
    await append(id, 'account.broken', 1, { service: 'gdrive', reason: 'invalid_grant' });
    await world.platform.runDueDeliveries();
    expect(receiver.received).toHaveLength(1);
    expect(await owed(id)).toBeGreaterThan(0);
    expect((await world.meta('DELETE', `/applications/${id}`)).status).toBe(204);
    world.clock.advance(60_000);
    receiver.received.length = 0;
    receiver.answer = accept;
    await append(neighbour.id, 'account.broken', 1, { service: 'gdrive', reason: 'invalid_grant' });
    await world.platform.runDueDeliveries();
    await world.platform.runDueTasks();
    world.clock.advance(86_400_000);
    await world.platform.runDueDeliveries();
    const told = receiver.received.map(({ body }) => webhookMessage.parse(JSON.parse(body)).data.application_id);
    expect(new Set(told)).toEqual(new Set([neighbour.id]));
    expect([await owed(id), (await owed(neighbour.id)) > 0]).toEqual([0, true]);
  });
});
