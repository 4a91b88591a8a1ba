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
