import { createHmac } from 'node:crypto';
import { sql } from '@bulkhead/postgres';
import { type HttpAnswer, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetPastInbound } from './forget-past.ts';

const FIRST = 'the first secret of all';
const SECOND = 'the second secret of all';
const HOUR_MS = 3_600_000;

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

interface Application {
  readonly id: string;
  readonly apiKey: string;
}

const hooks = (id: string, rest = ''): string => `/applications/${id}/inbound_webhooks${rest}`;

async function expecting(fields: object = {}): Promise<Application & { hook: HttpAnswer }> {
  const application = await world.application({ events_enabled: true, ...fields });
  const hook = await world.meta('POST', hooks(application.id), { service: 'github', secret: FIRST });
  expect(hook.status, hook.text).toBe(201);
  return { ...application, hook };
}

function send(id: string, content: object, secret = FIRST, service = 'github'): Promise<HttpAnswer> {
  const body = JSON.stringify(content);
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return world.call('POST', `/v1/inbound/${id}/${service}`, { headers: { 'x-hub-signature-256': `sha256=${signature}` }, body });
}

const read = ({ apiKey }: Application, path = ''): Promise<HttpAnswer> =>
  world.call('GET', `/v1/inbound_messages${path}`, { headers: { authorization: `APIKey ${apiKey}` } });

async function rowsOf(table: string, id: string): Promise<number> {
  return world.platform.db.withSystem('count rows in a test', async (tx) => {
    const { count } = await tx.one<{ count: number }>(
      sql`select count(*) as count from ${sql.identifier(table)} where application_id = ${id}`,
    );
    return count;
  });
}

describe('an inbound webhook', () => {
  test('says where its service is to report to, and shows its secrets to nobody', async () => {
    const { id, hook } = await expecting();
    expect(hook.json).toMatchObject({ service: 'github', scheme: 'github', has_secondary_secret: false, type: 'inbound_webhook' });
    expect(hook.json.url).toBe(`${world.url}/v1/inbound/${id}/github`);
    const changed = await world.meta('PATCH', hooks(id, `/${hook.json.id}`), { secondary_secret: SECOND });
    expect(changed.json).toMatchObject({ has_secondary_secret: true });
    for (const answer of [hook, changed, await world.meta('GET', hooks(id)), await world.meta('GET', hooks(id, `/${hook.json.id}`))])
      for (const secret of [FIRST, SECOND]) expect(answer.text).not.toContain(secret);
    const stored = await world.platform.db.withSystem('look at rows in a test', (tx) =>
      tx.query<{ text: string }>(sql`select to_jsonb(w)::text as text from inbound_webhooks w where application_id = ${id}`),
    );
    for (const secret of [FIRST, SECOND])
      for (const form of [secret, Buffer.from(secret).toString('hex')]) expect(stored[0]!.text).not.toContain(form);
  });

  test('has two live secrets during a rotation; one that was taken away is worth nothing', async () => {
    const { id, hook } = await expecting();
    const change = (body: object) => world.meta('PATCH', hooks(id, `/${hook.json.id}`), body);
    expect((await send(id, { n: 1 }, SECOND)).status).toBe(401);
    await change({ secondary_secret: SECOND });
    expect((await send(id, { n: 2 }, SECOND)).status).toBe(200);
    expect((await send(id, { n: 3 }, FIRST)).status).toBe(200);
    await change({ secret: SECOND, secondary_secret: null });
    expect((await send(id, { n: 4 }, FIRST)).status).toBe(401);
    expect((await send(id, { n: 5 }, SECOND)).status).toBe(200);
  });

  test('ends with its deletion', async () => {
    const { id, hook } = await expecting();
    expect((await send(id, { n: 1 })).status).toBe(200);
    expect((await world.meta('DELETE', hooks(id, `/${hook.json.id}`))).status).toBe(204);
    expect((await send(id, { n: 2 })).status).toBe(401);
  });

  test('of a custom service says which scheme its messages follow', async () => {
    const { id } = await expecting();
    const auth = { type: 'api_key', in: 'header', name: 'x-key' };
    const service = { id: 'ghe', friendly_name: 'GitHub Enterprise', auth, api: { base_url: 'https://ghe.example' } };
    expect((await world.meta('POST', `/applications/${id}/services`, service)).status).toBe(201);
    const without = await world.meta('POST', hooks(id), { service: 'ghe', secret: SECOND });
    expect(without).toMatchObject({ status: 400, json: { code: 'inbound_webhook.scheme_needed', field: 'scheme' } });
    expect((await world.meta('POST', hooks(id), { service: 'ghe', scheme: 'github', secret: SECOND })).status).toBe(201);
    expect((await send(id, { n: 1 }, SECOND, 'ghe')).status).toBe(200);
    expect((await send(id, { n: 2 }, FIRST, 'ghe')).status).toBe(401);
  });

  test.each([
    ['a second time', { service: 'github', secret: SECOND }, 409, 'inbound_webhook.exists'],
    [
      'of a service that there is not',
      { service: 'nosuchservice', scheme: 'github', secret: SECOND },
      400,
      'inbound_webhook.unknown_service',
    ],
    ['of a service whose messages nobody can verify', { service: 'salesforce', secret: SECOND }, 400, 'inbound_webhook.scheme_needed'],
    ['by a scheme that there is not', { service: 'slack', scheme: 'none', secret: SECOND }, 400, 'request.invalid'],
    ['with a secret that can be guessed', { service: 'slack', secret: 'eleven char' }, 400, 'request.invalid'],
    ['with a second secret that can be guessed', { service: 'slack', secret: SECOND, secondary_secret: '' }, 400, 'request.invalid'],
    ['without a secret', { service: 'slack' }, 400, 'request.invalid'],
    ['with a field that there is not', { service: 'slack', secret: SECOND, verify: false }, 400, 'request.invalid'],
  ])('%s is refused', async (_what, body, status, code) => {
    const { id } = await expecting();
    expect(await world.meta('POST', hooks(id), body)).toMatchObject({ status, json: { code } });
    // Control: as it should be, it is taken.
    expect((await world.meta('POST', hooks(id), { service: 'slack', secret: SECOND })).status).toBe(201);
  });

  test('is no part of a copy, and neither is any message', async () => {
    const { id } = await expecting();
    await send(id, { n: 1 });
    const clone = await world.meta('POST', '/applications', { name: 'A copy', source: id });
    expect(clone.status).toBe(201);
    expect((await world.meta('GET', hooks(clone.json.id))).json.total).toBe(0);
    expect((await send(clone.json.id, { n: 2 })).status).toBe(401);
    for (const table of ['inbound_webhooks', 'inbound_messages', 'inbound_deliveries']) {
      expect(await rowsOf(table, clone.json.id), table).toBe(0);
      expect(await rowsOf(table, id), table).toBe(1);
    }
  });
});

describe('a message that was kept', () => {
  test('lies sealed, and is listed by service and account, the newest first', async () => {
    const application = await expecting();
    for (const n of ['one', 'two', 'three']) {
      world.clock.advance(1_000);
      await send(application.id, { n });
    }
    const { json } = await read(application, '?page_size=2&service=github');
    expect(json).toMatchObject({ total: 3, count: 2, next_page: 2 });
    const newest = await read(application, `/${json.objects[0].id}`);
    expect(newest.json.payload).toEqual({ n: 'three' });
    expect(json.objects[0]).not.toHaveProperty('payload');
    expect((await read(application, '?service=slack')).json.total).toBe(0);
    expect((await read(application, '?account=17')).json.total).toBe(0);
    const stored = await world.platform.db.withSystem('look at rows in a test', (tx) =>
      tx.query<{ text: string }>(sql`select to_jsonb(m)::text as text from inbound_messages m where application_id = ${application.id}`),
    );
    expect(stored).toHaveLength(3);
    for (const { text } of stored) expect(text).not.toContain(Buffer.from('{"n"').toString('hex'));
  });

  test('is there for as long as events are kept, unreadable at once after that, and gone with the next sweep', async () => {
    const application = await expecting({ event_settings: { retention_hours: 2 } });
    await send(application.id, { n: 1 });
    const { id: messageId } = (await read(application)).json.objects[0];
    world.clock.advance(2 * HOUR_MS - 1);
    expect((await read(application, `/${messageId}`)).status).toBe(200);
    world.clock.advance(1);
    expect((await read(application, `/${messageId}`)).status).toBe(404);
    expect((await read(application)).json.total).toBe(0);
    expect(await rowsOf('inbound_messages', application.id)).toBe(1);
    await forgetPastInbound(world.platform.db, new Date(world.clock.now()));
    expect(await rowsOf('inbound_messages', application.id)).toBe(0);
    // That it was delivered is known for longer: the same again is nothing new.
    expect((await send(application.id, { n: 1 })).status).toBe(200);
    expect(await rowsOf('inbound_messages', application.id)).toBe(0);
    world.clock.advance(30 * 24 * HOUR_MS);
    expect((await send(application.id, { n: 1 })).status).toBe(200);
    expect(await rowsOf('inbound_messages', application.id)).toBe(1);
    world.clock.advance(31 * 24 * HOUR_MS);
    await forgetPastInbound(world.platform.db, new Date(world.clock.now()));
    expect(await rowsOf('inbound_deliveries', application.id)).toBe(0);
  });

  test('is kept whatever the event settings say; whether it is an event is theirs to say', async () => {
    const events = async (id: string): Promise<number> =>
      world.platform.db.withSystem('count events in a test', async (tx) => {
        const { count } = await tx.one<{ count: number }>(
          sql`select count(*) as count from events where application_id = ${id} and type = 'inbound.received'`,
        );
        return count;
      });
    for (const [settings, expected] of [
      [{}, 1],
      [{ event_settings: { types: ['inbound.received'] } }, 1],
      [{ event_settings: { types: ['account.connected'] } }, 0],
      [{ events_enabled: false }, 0],
    ] as const) {
      const application = await expecting(settings);
      expect((await send(application.id, { n: 1 })).status).toBe(200);
      expect((await read(application)).json.total).toBe(1);
      expect(await events(application.id), JSON.stringify(settings)).toBe(expected);
    }
  });

  test('goes with its Application', async () => {
    const { id } = await expecting();
    await send(id, { n: 1 });
    await world.meta('DELETE', `/applications/${id}`);
    expect((await send(id, { n: 2 })).status).toBe(401);
    world.clock.advance(60_000);
    await world.platform.runDueTasks();
    for (const table of ['inbound_webhooks', 'inbound_messages', 'inbound_deliveries']) expect(await rowsOf(table, id), table).toBe(0);
  });
});
