import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld } from '../../test/connect-world.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application();
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.person = { id: 'ada', name: 'ada@example.com' };
  connect.upstream.apiKey = 'correct-key';
});

function useUrl(client: Pick<ConnectApplication, 'id'>, requestUri: string, extra: Record<string, string> = {}): string {
  return `${connect.url}/v1/oauth?${new URLSearchParams({ client_id: client.id, request_uri: requestUri, ...extra }).toString()}`;
}

async function connectPushed(client: ConnectApplication, fields: Record<string, string>) {
  const pushed = await connect.push(client, fields);
  expect(pushed.status, pushed.text).toBe(201);
  const visitor = new Visitor();
  return connect.approve(visitor, await visitor.get(useUrl(client, pushed.json.request_uri)));
}

const accountOf = (client: ConnectApplication, id: number) =>
  connect.world.call('GET', `/v1/accounts/${id}`, { headers: { authorization: `APIKey ${client.apiKey}` } });

describe('C4 connecting an account anew', () => {
  async function connected(): Promise<{ client: ConnectApplication; accountId: number }> {
    const client = await connect.application();
    const redeemed = await connect.redeem(client, (await connect.connect(client)).location);
    return { client, accountId: redeemed.json.account_id };
  }

  it('the same identity keeps the id', async () => {
    const { client, accountId } = await connected();
    const done = await connectPushed(client, { account_id: String(accountId) });
    expect((await connect.redeem(client, done.location)).json.account_id).toBe(accountId);
  });

  it('another identity changes nothing and is told', async () => {
    const { client, accountId } = await connected();
    const before = await accountOf(client, accountId);
    connect.upstream.person = { id: 'eve', name: 'eve@example.com' };
    const done = await connectPushed(client, { account_id: String(accountId) });
    expect(answerOf(done.location).get('error')).toBe('access_denied');
    expect((await accountOf(client, accountId)).json).toEqual(before.json);
    const list = await connect.world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${client.apiKey}` } });
    expect(list.json.total).toBe(1);
  });

  it("another Application's account is unknown", async () => {
    const { accountId } = await connected();
    expect((await connect.push(application, { account_id: String(accountId) })).json.error).toBe('invalid_request');
  });

  it('offers the service of the account only', async () => {
    const { client, accountId } = await connected();
    await connect.addService(client.id, connect.upstream.keyService('lantern'));
    const pushed = await connect.push(client, { account_id: String(accountId), scope: 'any' });
    expect((await new Visitor().get(useUrl(client, pushed.json.request_uri))).location.startsWith(connect.upstream.url)).toBe(true);
  });

  it('a reconnect link ends on a page, once, and makes the account healthy with its new credential', async () => {
    const { client, accountId } = await connected();
    const link = await connect.world.call('POST', `/v1/accounts/${accountId}/reconnect`, {
      headers: { authorization: `APIKey ${client.apiKey}` },
      body: {},
    });
    expect(link.status, link.text).toBeLessThan(300);
    const visitor = new Visitor();
    const done = await connect.approve(visitor, await visitor.get(link.json.url));
    expect(done.status).toBe(200);
    expect(done.text).toContain('Connected');
    expect((await new Visitor().get(link.json.url)).status).toBe(400);
    expect((await accountOf(client, accountId)).json).toMatchObject({ id: accountId, health: 'healthy' });
  });

  it('a reconnect link with another identity, or declined, shows a page and changes nothing', async () => {
    const { client, accountId } = await connected();
    const before = await accountOf(client, accountId);
    const link = async () =>
      (
        await connect.world.call('POST', `/v1/accounts/${accountId}/reconnect`, {
          headers: { authorization: `APIKey ${client.apiKey}` },
          body: {},
        })
      ).json.url;
    connect.upstream.person = { id: 'eve', name: 'eve@example.com' };
    const visitor = new Visitor();
    const mismatch = await connect.approve(visitor, await visitor.get(await link()));
    expect([mismatch.status, mismatch.location]).toEqual([409, '']);
    expect(mismatch.text).toContain('That is a different account');
    const declined = await visitor.get(connect.upstream.deny((await visitor.get(await link())).location));
    expect([declined.status, declined.location]).toEqual([403, '']);
    expect((await accountOf(client, accountId)).json).toEqual(before.json);
  });
});

describe('C4 whose account it is, told or not', () => {
  const untold = (service: { identity?: unknown }) => {
    const { identity: _, ...rest } = service;
    return rest as never;
  };
  const reconnect = (client: ConnectApplication, id: number) =>
    connect.world.call('POST', `/v1/accounts/${id}/reconnect`, { headers: { authorization: `APIKey ${client.apiKey}` }, body: {} });
  const list = async (client: ConnectApplication) =>
    (await connect.world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${client.apiKey}` } })).json;

  it('where a service does not say, no link is given that could only fail; the new credential comes by PATCH, and the id stays', async () => {
    const client = await connect.application({}, [untold(connect.upstream.keyService('lantern'))]);
    const visitor = new Visitor();
    const { location } = await visitor.get(connect.startUrl(client));
    const done = await visitor.post(`${location}/credential`, { service: 'lantern', api_key: 'first-key' });
    const { account_id: id } = (await connect.redeem(client, done.location)).json;
    const refused = await reconnect(client, id);
    expect([refused.status, refused.json.code]).toEqual([409, 'authorization.identity_untold']);
    expect(refused.json.message).toContain(`PATCH /v1/accounts/${id}`);
    const pushed = await connect.push(client, { account_id: String(id) });
    expect([pushed.status, pushed.json.error]).toEqual([409, 'invalid_request']);
    const patched = await connect.world.call('PATCH', `/v1/accounts/${id}`, {
      headers: { authorization: `APIKey ${client.apiKey}` },
      body: { token: 'second-key' },
    });
    expect([patched.status, patched.json.id]).toEqual([200, id]);
    expect((await accountOf(client, id)).json.health).toBe('healthy');
  });

  it('control: the same service saying whose it is gets a link, and another key of the same person keeps the id', async () => {
    const client = await connect.application({}, [connect.upstream.keyService('lantern')]);
    const give = async (url: string, key: string) => {
      const visitor = new Visitor();
      const { location } = await visitor.get(url);
      connect.upstream.apiKey = key;
      return visitor.post(`${location}/credential`, { service: 'lantern', api_key: key });
    };
    const { account_id: id } = (await connect.redeem(client, (await give(connect.startUrl(client), 'first-key')).location)).json;
    const link = await reconnect(client, id);
    expect(link.status, link.text).toBe(201);
    expect((await give(link.json.url, 'second-key')).text).toContain('Connected');
    expect((await list(client)).objects.map((account: { id: number }) => account.id)).toEqual([id]);
  });

  it.each([
    ['another case', 'ada', 'Ada'],
    ['a space', 'ada', 'ada '],
    ['another composition of the same letters', 'ad\u00e1', 'ada\u0301'],
    ['a letter that looks alike', 'ada', '\u0430da'],
    ['a full-width letter', 'ada', '\uff41da'],
    ['a character nobody sees', 'ada', 'a\u200bda'],
    ['a leading zero', '7', '07'],
  ])('an identity that differs by %s is another one', async (_, first, second) => {
    const client = await connect.application();
    connect.upstream.person = { id: first, name: 'one' };
    const { account_id: id } = (await connect.redeem(client, (await connect.connect(client)).location)).json;
    connect.upstream.person = { id: second, name: 'one' };
    const refused = await connectPushed(client, { account_id: String(id) });
    expect(answerOf(refused.location).get('error')).toBe('access_denied');
    const other = (await connect.redeem(client, (await connect.connect(client)).location)).json.account_id;
    expect(other).not.toBe(id);
    // Control: the very same one.
    connect.upstream.person = { id: first, name: 'another name' };
    expect((await connect.redeem(client, (await connectPushed(client, { account_id: String(id) })).location)).json.account_id).toBe(id);
  });

  it('of ten reconnects at once, half of them by somebody else, only those of the same person count, and one credential is left', async () => {
    const client = await connect.application();
    const { account_id: id } = (await connect.redeem(client, (await connect.connect(client)).location)).json;
    const answers = await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const visitor = new Visitor();
        const begun = await visitor.get((await reconnect(client, id)).json.url);
        connect.upstream.person = at % 2 === 0 ? { id: 'ada', name: 'ada@example.com' } : { id: `eve-${at}`, name: 'eve' };
        return visitor.get(connect.upstream.approve(begun.location));
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? 200 : 409)));
    expect((await list(client)).objects).toMatchObject([{ id, account: 'ada@example.com', health: 'healthy' }]);
    const kept = await connect.world.database.database.withSystem('count', (tx) =>
      tx.query(sql`select 1 from credentials where application_id = ${client.id}`),
    );
    expect(kept.length).toBe(1);
  });
});
