import { request } from 'node:http';
import { sql } from '@bulkhead/postgres';
import { type HttpAnswer, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowCounts, senderIds, senders, type Sender, type SenderId, type Sent } from './inbound.testkit.ts';

const serviceOf = (id: SenderId): string => (id === 'google' ? 'gdrive' : id);
const secretOf = (owner: string, id: SenderId): string => `secret-of-${owner}-at-${id}`;

/** Whom the messages of the senders concern, as accounts know them; and somebody near whom they do not. */
const identities: Readonly<Record<string, readonly string[]>> = {
  atlassian: ['atlassian-1'],
  box: ['box-1'],
  dropbox: ['dbid:1', 'dbid:2'],
  github: ['7'],
  gitlab: ['4'],
  hubspot: ['62515', '62516'],
  shopify: ['a-shop.myshopify.com'],
  slack: ['T1/U1'],
  stripe: ['acct_1'],
};
const BYSTANDER = 'nobody-in-particular';

interface Tenant {
  readonly name: string;
  readonly id: string;
  readonly apiKey: string;
  /** By `service identity`. */
  readonly accounts: Map<string, number>;
}

let world: World;
let own: Tenant;
let other: Tenant;

beforeAll(async () => {
  world = await World.create();
  own = await tenant('own');
  other = await tenant('other');
  // The same people, connected there too.
  for (const each of [own, other])
    for (const [service, people] of Object.entries(identities))
      for (const identity of [...people, BYSTANDER]) await connect(each, service, identity);
});
afterAll(() => world[Symbol.asyncDispose]());

async function tenant(name: string): Promise<Tenant> {
  const { id, apiKey } = await world.application({ events_enabled: true });
  for (const scheme of senderIds) {
    const answer = await world.meta('POST', `/applications/${id}/inbound_webhooks`, {
      service: serviceOf(scheme),
      secret: secretOf(name, scheme),
    });
    expect(answer.status, answer.text).toBe(201);
  }
  for (const service of ['stripe', 'shopify']) {
    const auth = { type: 'api_key', in: 'header', name: 'x-key' };
    const definition = { id: service, friendly_name: service, auth, api: { base_url: `https://${service}.example` } };
    const answer = await world.meta('POST', `/applications/${id}/services`, definition);
    expect(answer.status, answer.text).toBe(201);
  }
  return { name, id, apiKey, accounts: new Map() };
}

async function connect({ apiKey, accounts }: Tenant, service: string, identity: string): Promise<number> {
  const answer = await world.call('POST', '/v1/accounts', {
    headers: { authorization: `APIKey ${apiKey}` },
    body: { service, account: `${identity}@example`, identity_id: identity, token: 'an upstream token' },
  });
  expect(answer.status, answer.text).toBe(201);
  accounts.set(`${service} ${identity}`, answer.json.id);
  return answer.json.id as number;
}

interface Making {
  readonly to?: Tenant;
  /** Whose secret it is made with. */
  readonly owner?: string;
  readonly atMs?: number;
  readonly content?: object;
}

function made(id: SenderId, n: string, making: Making = {}): Sent {
  const { to = own, atMs = world.clock.now(), content = contentOf(id, n) } = making;
  return (senders[id] as Sender).send(content, { secret: secretOf(making.owner ?? to.name, id), atMs, url: urlOf(to, id) }, n);
}

const contentOf = (id: SenderId, n: string): object => (senders[id] as Sender).content(n);
const urlOf = (to: Tenant, id: SenderId): string => `${world.url}/v1/inbound/${to.id}/${serviceOf(id)}`;

function send(to: Tenant, id: SenderId, { method, headers, body }: Sent): Promise<HttpAnswer> {
  world.clock.advance(1);
  return world.call(method, urlOf(to, id), { headers, ...(body === '' ? {} : { body }) });
}

/** A header twice, as no client of `fetch` can send it; answers the status. */
async function sendDoubled(to: Tenant, id: SenderId, { method, headers, body }: Sent, name: string, second: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const doubled = { ...headers, 'content-length': String(Buffer.byteLength(body)), [name]: [headers[name]!, second] };
    request(urlOf(to, id), { method, headers: doubled, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    })
      .on('error', reject)
      .end(body);
  });
}

interface Kept {
  readonly message_id: string;
  readonly type: string | null;
  readonly delivery_id: string | null;
  readonly account_ids: number[];
}

/** The messages of a service, the newest first. */
async function kept(of: Tenant, id: SenderId): Promise<Kept[]> {
  return world.platform.db.withSystem('look at messages in a test', (tx) =>
    tx.query<Kept>(sql`
      select message_id, type, delivery_id, to_jsonb(account_ids) as account_ids from inbound_messages
       where application_id = ${of.id} and service = ${serviceOf(id)} order by received_at desc`),
  );
}

async function eventsOf(messageId: string): Promise<(number | null)[]> {
  const rows = await world.platform.db.withSystem('look at events in a test', (tx) =>
    tx.query<{ account_id: number | null }>(sql`select account_id from events where data ->> 'message_id' = ${messageId}`),
  );
  return rows.map(({ account_id: account }) => account).toSorted();
}

const counts = (): Promise<Record<string, number>> => rowCounts(world.platform.db);

describe.each(senderIds)('%s', (id) => {
  const { proof, time, isToken }: Sender = senders[id];

  test('what it sends is kept, told as an event of the account it concerns, and can be read', async () => {
    const answer = await send(own, id, made(id, 'first'));
    expect(answer).toMatchObject({ status: 200, text: '' });
    const [message] = await kept(own, id);
    const concerned = (identities[serviceOf(id)] ?? []).map((identity) => own.accounts.get(`${serviceOf(id)} ${identity}`)!);
    expect(message!.account_ids.toSorted()).toEqual(concerned.toSorted());
    expect(await eventsOf(message!.message_id)).toEqual(concerned.length === 0 ? [null] : concerned.toSorted());
    const read = await world.call('GET', `/v1/inbound_messages/${message!.message_id}`, {
      headers: { authorization: `APIKey ${own.apiKey}` },
    });
    expect(read).toMatchObject({ status: 200, json: { service: serviceOf(id), event: message!.type, accounts: message!.account_ids } });
    expect(read.json.payload).toMatchObject(id === 'google' ? { resource_state: 'update', changed: 'content' } : {});
    expect(read.json.event).toEqual(expect.any(String));
    // What opens something at the service is not stored, and what proves the message neither.
    for (const secret of ['a-legacy-verification-token', 'pi_1_secret_9', secretOf('own', id), made(id, 'first').headers[proof]!])
      expect(read.text).not.toContain(secret);
  });

  test('what it did not send is refused, and nothing is stored', async () => {
    const before = await counts();
    const good = made(id, 'refused');
    const { [proof]: proven, ...unproven } = good.headers;
    const refused: Record<string, Sent> = {
      'no proof': { ...good, headers: unproven },
      'another Application’s secret': made(id, 'refused', { owner: 'other' }),
      'a proof with a letter more': { ...good, headers: { ...good.headers, [proof]: `${proven!}a` } },
      ...(isToken ? {} : { 'another body': { ...good, body: `${good.body} ` } }),
      ...(time === undefined
        ? {}
        : {
            'too old': made(id, 'refused', { atMs: world.clock.now() - (time.tolerance + 2) * 1000 }),
            'of the future': made(id, 'refused', { atMs: world.clock.now() + (time.tolerance + 2) * 1000 }),
          }),
    };
    for (const [why, sent] of Object.entries(refused)) expect((await send(own, id, sent)).status, why).toBe(401);
    expect((await send(other, id, good)).status, "at another Application's address").toBe(401);
    expect(await sendDoubled(own, id, good, proof, 'anything'), 'a second proof behind it').toBe(401);
    expect(await sendDoubled(own, id, good, proof, proven!), 'the same proof twice').toBe(401);
    if (time !== undefined) expect(await sendDoubled(own, id, good, time.header, good.headers[time.header]!), 'its time twice').toBe(401);
    expect(await counts()).toEqual(before);
    // Control: as it was sent it is taken, so each of these was refused for what is wrong with it.
    expect((await send(own, id, good)).status).toBe(200);
    expect((await counts())['inbound_messages']).toBe(before['inbound_messages']! + 1);
  });
});

describe.each(senderIds.filter((id) => !(senders[id] as Sender).isBell))('%s, which tells its messages apart', (id) => {
  test('the same again is answered and not kept again, be it signed anew', async () => {
    await send(own, id, made(id, 'again'));
    const before = await counts();
    expect((await send(own, id, made(id, 'again'))).status).toBe(200);
    expect((await send(own, id, made(id, 'again', { atMs: world.clock.now() + 60_000 }))).status).toBe(200);
    expect(await counts()).toEqual(before);
    // Control: another thing is another thing.
    await send(own, id, made(id, 'once more'));
    expect((await counts())['inbound_messages']).toBe(before['inbound_messages']! + 1);
  });
});

describe.each(senderIds.filter((id) => (senders[id] as Sender).isBell))('%s, which only rings', (id) => {
  test('every ring is kept, since no two can be told apart', async () => {
    const before = (await kept(own, id)).length;
    await send(own, id, made(id, 'again'));
    await send(own, id, made(id, 'again'));
    expect((await kept(own, id)).length).toBe(before + 2);
  });
});

describe('whom a message concerns', () => {
  test('is looked for in its own Application and service only', async () => {
    const [elsewhere] = await kept(other, 'github');
    expect(elsewhere).toBeUndefined();
    // At GitHub 7 is somebody, at GitLab somebody else.
    const content = { ...(contentOf('gitlab', 'number 7') as object), user_id: 7 };
    await send(own, 'gitlab', made('gitlab', 'number 7', { content }));
    expect((await kept(own, 'gitlab'))[0]!.account_ids).toEqual([]);
  });

  test('may be nobody: the event is the whole Application’s', async () => {
    await send(own, 'stripe', made('stripe', 'nobody', { content: { id: 'evt_nobody', type: 'x', account: 'acct_unknown' } }));
    const [message] = await kept(own, 'stripe');
    expect(await eventsOf(message!.message_id)).toEqual([null]);
  });

  test('in Slack is the one account of a team, where the message names no person that is connected', async () => {
    const content = (n: string, team: string) => ({
      type: 'event_callback',
      team_id: team,
      event_id: `Ev-${n}`,
      event: { type: 'message' },
    });
    await send(own, 'slack', made('slack', 'team', { content: content('team', 'T1') }));
    expect((await kept(own, 'slack'))[0]!.account_ids).toEqual([own.accounts.get('slack T1/U1')]);
    // Control: of two nobody knows which, and of a team whose name begins alike there is none.
    await connect(own, 'slack', 'T2/U1');
    await connect(own, 'slack', 'T2/U2');
    for (const team of ['T2', 'T', 'T1/U', '%']) {
      await send(own, 'slack', made('slack', team, { content: content(`of ${team}`, team) }));
      expect((await kept(own, 'slack'))[0]!.account_ids, team).toEqual([]);
    }
  });

  test('at Google is the account that the channel is named after, if it is one of this Application and service', async () => {
    const drive = await connect(own, 'gdrive', 'google-1');
    const foreign = await connect(other, 'gdrive', 'google-1');
    const named = async (channel: string, n: string): Promise<readonly number[]> => {
      const sent = made('google', n);
      await send(own, 'google', { ...sent, headers: { ...sent.headers, 'x-goog-channel-id': channel } });
      return (await kept(own, 'google'))[0]!.account_ids;
    };
    expect(await named(`${drive}-5f2c`, 'a')).toEqual([drive]);
    expect(await named(`${foreign}-5f2c`, 'b')).toEqual([]);
    expect(await named(`${own.accounts.get('github 7')!}-5f2c`, 'c')).toEqual([]);
    expect(await named(`x${drive}-5f2c`, 'd')).toEqual([]);
  });
});
