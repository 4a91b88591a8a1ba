import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
let one: Tenant;
let other: Tenant;

interface Tenant {
  readonly id: string;
  readonly key: string;
  readonly accounts: readonly [number, number];
}

async function tenant(name: string): Promise<Tenant> {
  const { json } = await meta('POST', '/applications', { name, events_enabled: true });
  const key: string = json.default_api_key.key;
  const imported = async (account: string) =>
    (await call(key, 'POST', '/v1/accounts', { service: 'dropbox', account, token: `upstream-${account}`, end_user: account })).json
      .id as number;
  return { id: json.id, key, accounts: [await imported('ann'), await imported('ben')] };
}

const meta = (method: string, path: string, body?: unknown) =>
  world.call(method, `/v1/meta${path}`, {
    headers: { authorization: `Bearer ${world.metaToken}` },
    ...(body === undefined ? {} : { body }),
  });
const call = (key: string, method: string, path: string, body?: unknown) =>
  world.call(method, path, {
    headers: { authorization: key.startsWith('bha_') ? `Bearer ${key}` : `APIKey ${key}` },
    ...(body === undefined ? {} : { body }),
  });

async function exchange({ key, accounts }: Tenant, details?: unknown): Promise<string> {
  const answer = await world.call('POST', '/v1/oauth/token', {
    headers: { authorization: `APIKey ${key}` },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: key,
      subject_token_type: 'urn:bulkhead:token-type:api-key',
      account_id: String(accounts[0]),
      ...(details === undefined ? {} : { authorization_details: JSON.stringify(details) }),
    }),
  });
  return answer.json.access_token;
}

/** Follows a log until it has that many. A transaction of another test on the same server may hold a reader back. */
async function follow(key: string, path: string, count: number, query = 'page_size=1000') {
  let objects: { type: string; account: number | null; data: Record<string, unknown> }[] = [];
  await expect
    .poll(
      async () => {
        objects = (await call(key, 'GET', `${path}?${query}`)).json.objects;
        return objects.length;
      },
      { timeout: 60_000 },
    )
    .toBe(count);
  return objects;
}

beforeAll(async () => {
  world = await World.create();
  one = await tenant('One');
  other = await tenant('Other');
});
afterAll(() => world[Symbol.asyncDispose]());

describe('kloudless.md §2.5: GET /v1/accounts/{id}/events', () => {
  const path = () => `/v1/accounts/${one.accounts[0]}/events`;

  it('tells what happened to the account, and its cursor leads to what comes after, until objects is empty', async () => {
    const [connected] = await follow(one.key, path(), 1);
    expect(connected).toMatchObject({
      type: 'account.connected',
      account: one.accounts[0],
      data: { service: 'dropbox', end_user: 'ann' },
      api: 'events',
    });
    const { json } = await call(one.key, 'GET', path());
    expect(json).toMatchObject({ count: 1, remaining: 0 });
    const empty = await call(one.key, 'GET', `${path()}?cursor=${json.cursor}`);
    expect(empty.json).toMatchObject({ count: 0, objects: [], cursor: json.cursor });
    await call(one.key, 'PATCH', `/v1/accounts/${one.accounts[0]}`, { token: 'upstream-new' });
    const next = await follow(one.key, path(), 1, `cursor=${json.cursor}`);
    expect(next.map(({ type }) => type)).toEqual(['account.reconnected']);
    expect(JSON.stringify(next)).not.toContain('upstream-');
  });

  it('gives pages of the size that was asked for, says how many remain, and begins anew with after-auth', async () => {
    await follow(one.key, path(), 2);
    const first = (await call(one.key, 'GET', `${path()}?page_size=1`)).json;
    expect(first).toMatchObject({ count: 1, remaining: 1 });
    const second = (await call(one.key, 'GET', `${path()}?page_size=1&cursor=${first.cursor}`)).json;
    expect(second).toMatchObject({ count: 1, remaining: 0 });
    expect(second.objects[0].id).not.toBe(first.objects[0].id);
    expect((await call(one.key, 'GET', `${path()}?cursor=after-auth`)).json.objects[0].id).toBe(first.objects[0].id);
    expect(typeof first.cursor).toBe('string');
  });

  it('takes a time from which, and a time before which', async () => {
    const [event] = (await call(one.key, 'GET', path())).json.objects;
    const at = encodeURIComponent(event.created);
    const after = encodeURIComponent(new Date(Date.parse(event.created) + 60_000).toISOString());
    expect((await call(one.key, 'GET', `${path()}?from=${at}`)).json.count).toBeGreaterThan(0);
    expect((await call(one.key, 'GET', `${path()}?until=${at}`)).json.count).toBe(0);
    expect((await call(one.key, 'GET', `${path()}?from=${after}`)).json.count).toBe(0);
  });

  it('latest is the cursor after which nothing has come yet', async () => {
    await follow(one.key, path(), 2);
    const { cursor } = (await call(one.key, 'GET', `${path()}/latest`)).json;
    expect((await call(one.key, 'GET', `${path()}?cursor=${cursor}`)).json).toMatchObject({ count: 0, cursor });
  });

  it.each(['page_size=0', 'page_size=1001', 'from=yesterday', 'until=x'])('%s is a bad request', async (query) => {
    expect((await call(one.key, 'GET', `${path()}?${query}`)).status).toBe(400);
  });
});

describe('whose events', () => {
  const cursorAt = async (key: string, path: string) => (await call(key, 'GET', path)).json.cursor as string;

  it('a cursor of another Application, of another account or of nobody is answered alike', async () => {
    const path = `/v1/accounts/${one.accounts[0]}/events`;
    const never = await call(one.key, 'GET', `${path}?cursor=${'A'.repeat(38)}`);
    expect(never.status).toBe(404);
    const foreign = [
      await cursorAt(other.key, `/v1/accounts/${other.accounts[0]}/events`),
      await cursorAt(one.key, `/v1/accounts/${one.accounts[1]}/events`),
      await cursorAt(one.key, '/v1/events'),
      '-1',
    ];
    for (const cursor of foreign) {
      const answer = await call(one.key, 'GET', `${path}?cursor=${cursor}`);
      expect([answer.status, { ...answer.json, id: '' }]).toEqual([404, { ...never.json, id: '' }]);
    }
    expect((await call(one.key, 'GET', `${path}?cursor=${await cursorAt(one.key, path)}`)).status).toBe(200);
  });

  it("a token reads its account's events, not another account's and not the Application's", async () => {
    const token = await exchange(one);
    expect((await call(token, 'GET', `/v1/accounts/${one.accounts[0]}/events`)).status).toBe(200);
    expect((await call(token, 'GET', '/v1/accounts/me/events')).status).toBe(200);
    expect((await call(token, 'GET', `/v1/accounts/${one.accounts[1]}/events`)).status).toBe(404);
    expect((await call(token, 'GET', '/v1/events')).status).toBe(401);
    expect((await call(one.key, 'GET', '/v1/events')).status).toBe(200);
  });

  it('a token that is narrowed to some pass-through calls reads none', async () => {
    const token = await exchange(one, [{ type: 'passthrough', methods: ['GET'], path_prefix: '/files' }]);
    for (const path of ['events', 'events/latest']) {
      const answer = await call(token, 'GET', `/v1/accounts/${one.accounts[0]}/${path}`);
      expect([answer.status, answer.json.code]).toEqual([403, 'event.limited_token']);
    }
  });
});

describe('GET /v1/events', () => {
  it('tells everything of the Application in order, also of an account that is gone, and nothing of another one', async () => {
    const { id, key, accounts } = await tenant('Everything');
    await meta('PATCH', `/applications/${id}`, { description: 'changed' });
    await meta('POST', `/applications/${id}/redirect_uris`, { url: 'https://a.example/cb' });
    expect((await call(key, 'DELETE', `/v1/accounts/${accounts[0]}`)).status).toBe(204);
    const events = await follow(key, '/v1/events', 5);
    expect(events.map(({ type, account }) => [type, account])).toEqual([
      ['account.connected', accounts[0]],
      ['account.connected', accounts[1]],
      ['application.updated', null],
      ['application.updated', null],
      ['account.deleted', accounts[0]],
    ]);
    expect(events.slice(2, 4).map(({ data }) => data)).toEqual([{ fields: ['description'] }, { fields: ['redirect_uris'] }]);
    expect((await call(key, 'GET', `/v1/accounts/${accounts[0]}/events`)).status).toBe(404);
  });

  it('begins, in a clone, with the cloning: the log of the source is not copied', async () => {
    const { json } = await meta('POST', '/applications', { name: 'Clone', source: one.id });
    const events = await follow(json.default_api_key.key, '/v1/events', 1);
    expect(events).toMatchObject([{ type: 'application.cloned', data: { source: one.id } }]);
  });

  it('goes with the Application', async () => {
    const { id, key } = await tenant('Ending');
    await follow(key, '/v1/events', 2);
    await meta('DELETE', `/applications/${id}`);
    expect((await call(key, 'GET', '/v1/events')).status).toBe(401);
    const stored = () =>
      world.platform.db.withSystem('look for events in a test', async (tx) => {
        return (await tx.query<{ type: string }>(sql`select type from events where application_id = ${id} order by seq`)).map(
          ({ type }) => type,
        );
      });
    expect(await stored()).toEqual(['account.connected', 'account.connected', 'application.deleted']);
    world.clock.advance(60_000);
    await world.platform.runDueTasks();
    expect(await stored()).toEqual([]);
  });
});
