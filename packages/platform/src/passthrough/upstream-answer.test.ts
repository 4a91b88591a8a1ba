import { request as httpRequest } from 'node:http';
import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { describe, expect, test } from 'vitest';
import { rotating, sendJson } from '../../test/token-endpoint.ts';
import type { AccountServer } from '../../test/account-server.ts';
import { type PassthroughWorld, usePassthroughWorld } from '../../test/passthrough-world.ts';

let world: PassthroughWorld['world'];
let upstream: PassthroughWorld['upstream'];
let endpoint: PassthroughWorld['endpoint'];
let application: PassthroughWorld['application'];
let account: number;
let key: PassthroughWorld['key'];
let call: PassthroughWorld['call'];

usePassthroughWorld((made) => {
  ({ world, upstream, endpoint, application, account, key, call } = made);
});

const proxy = (path: string) => `/v1/accounts/${account}/proxy${path}`;

describe('an upstream that', () => {
  test('is away answers 502', async () => {
    await upstream.close();
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 502, code: 'egress.unreachable' });
  });

  test('is left by its caller is left by us', async () => {
    const gone = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    upstream.answer = (_seen, response) => {
      response.writeHead(200);
      response.write('first');
      response.on('close', () => gone.resolve());
      reached.resolve();
    };
    const { hostname, port } = new URL(world.url);
    const outgoing = httpRequest({ host: hostname, port, path: proxy('/x'), headers: key }, (message) =>
      message.once('data', () => outgoing.destroy()),
    );
    outgoing.on('error', () => undefined);
    outgoing.end();
    await reached.promise;
    await expect(gone.promise).resolves.toBeUndefined();
  });

  test('answers 401 gets the renewed credential once, body and all', async () => {
    upstream.answer = (seen, response) =>
      seen.headers.authorization === 'Bearer access-2'
        ? sendJson(response, 200, { body: seen.body })
        : sendJson(response, 401, { error: 'expired' });
    expect(await call('POST', proxy('/x'), { ...key, 'content-length': '5' }, 'again')).toMatchObject({
      status: 200,
      body: '{"body":"again"}',
    });
    expect(upstream.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer access-1', 'Bearer access-2']);
    expect(endpoint.requests).toHaveLength(1);
  });

  test('answers 401 to twenty-five calls at once is asked again by each, with one renewed credential', async () => {
    const arrived: (() => void)[] = [];
    upstream.answer = (seen, response) => {
      if (seen.headers.authorization === 'Bearer access-2') return sendJson(response, 200, { body: seen.body });
      // All of them are on their way with the old credential before the first is refused.
      arrived.push(() => sendJson(response, 401, {}));
      if (arrived.length === 25) for (const refuse of arrived) refuse();
    };
    const answers = await Promise.all(
      Array.from({ length: 25 }, (_, at) => call('POST', proxy('/x'), { ...key, 'content-length': String(String(at).length) }, String(at))),
    );
    expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map((_, at) => [200, `{"body":"${at}"}`]));
    expect(endpoint.requests).toHaveLength(1);
    expect(upstream.seen).toHaveLength(50);
  });

  test('answers 401 to the renewed credential too is believed', async () => {
    upstream.answer = (seen, response) =>
      sendJson(response, 401, { said: seen.headers.authorization }, { 'www-authenticate': 'Bearer realm="up"' });
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 401, body: '{"said":"Bearer access-2"}' });
    expect(upstream.seen).toHaveLength(2);
  });

  test('answers 401 while nothing can be renewed is believed, its whole answer passed on', async () => {
    endpoint.answer = (_request, response) => sendJson(response, 503, {});
    const long = 'x'.repeat(300_000);
    upstream.answer = (_seen, response) => response.writeHead(401, { 'x-why': 'because' }).end(long);
    const answer = await call('GET', proxy('/x'));
    expect(answer).toMatchObject({ status: 401, headers: { 'x-why': 'because' } });
    expect(answer.body).toBe(long);
    expect(upstream.seen).toHaveLength(1);
  });

  test('answers 401 to a long body gets it once; the next call has the renewed credential', async () => {
    upstream.answer = (seen, response) => sendJson(response, seen.headers.authorization === 'Bearer access-2' ? 200 : 401, {});
    const body = Buffer.alloc(200_000, 'x');
    expect((await call('POST', proxy('/x'), { ...key, 'content-length': String(body.byteLength) }, body)).status).toBe(401);
    expect(upstream.seen).toHaveLength(1);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    await expect
      .poll(async () => (await call('POST', proxy('/x'), { ...key, 'content-length': String(body.byteLength) }, body)).status)
      .toBe(200);
    expect(upstream.seen.at(-1)?.body.length).toBe(200_000);
  });
});

describe('a broken account', () => {
  test('answers 401 service_unauthorized with the way out, and shows as broken', async () => {
    endpoint.answer = (_request, response) => sendJson(response, 400, { error: 'invalid_grant' });
    upstream.answer = (_seen, response) => sendJson(response, 401, {});
    const answer = await call('GET', proxy('/x'));
    expect(answer).toMatchObject({ status: 401, code: 'passthrough.account_broken' });
    expect(answer.body).toContain(`/v1/accounts/${account}/reconnect`);
    expect(JSON.parse(answer.body)).toMatchObject({ error_code: 'service_unauthorized' });
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 401, code: 'passthrough.account_broken' });
    expect(upstream.seen).toHaveLength(1);
    expect(JSON.parse((await call('GET', `/v1/accounts/${account}`)).body)).toMatchObject({
      health: 'broken',
      broken_reason: 'invalid_grant',
    });
    const entries = await world.database.database.tenantQuery<{ action: string }>(
      application,
      sql`select action from audit_entries where application_id = ${application} and action = 'account.broken'`,
    );
    expect(entries).toHaveLength(1);
  });
});

describe('placement of the credential', () => {
  async function connected(
    auth: Parameters<AccountServer['addService']>[1]['auth'],
    tokens: Parameters<AccountServer['addAccount']>[2],
  ): Promise<void> {
    await world.addService(application, { id: 'lantern', friendly_name: 'Lantern', auth, api: { base_url: upstream.url } });
    account = await world.addAccount(application, 'lantern', tokens);
  }

  test("in a header: the caller's header of that name does not travel", async () => {
    await connected({ type: 'api_key', in: 'header', name: 'X-Api-Key' }, { apiKey: new Secret('lantern-key') });
    await call('GET', proxy('/x'), { ...key, 'X-API-KEY': 'mine' });
    expect(upstream.seen[0]?.raw.filter((each) => each.toLowerCase() === 'x-api-key')).toHaveLength(1);
    expect(upstream.seen[0]?.headers['x-api-key']).toBe('lantern-key');
  });

  test("in the query: the caller's parameter of that name does not travel, however it is written", async () => {
    await connected({ type: 'api_key', in: 'query', name: 'api_key' }, { apiKey: new Secret('lantern key') });
    await call('GET', proxy("/x?q='1'"));
    await call('GET', proxy('/x?api_key=mine&q=1&api%5Fkey=mine'));
    expect(upstream.seen[0]?.target).toBe("/x?q='1'&api_key=lantern%20key");
    expect(new URL(upstream.seen[1]!.target, upstream.url).searchParams.getAll('api_key')).toEqual(['lantern key']);
    expect(upstream.seen[1]?.target).not.toContain('mine');
  });

  test('as user name and password', async () => {
    await connected({ type: 'basic' }, { username: 'ann', password: new Secret('pässword') });
    await call('GET', proxy('/x'));
    expect(Buffer.from(String(upstream.seen[0]?.headers.authorization).slice(6), 'base64').toString()).toBe('ann:pässword');
  });
});

test('rotating() is the control of these tests: an expired token is renewed before the call', async () => {
  endpoint.answer = rotating();
  account = await world.addAccount(application, 'harbour', {
    accessToken: new Secret('access-1'),
    refreshToken: new Secret('refresh-1'),
    expiresAt: world.clock.now() - 1,
    kept: {},
  });
  await call('GET', proxy('/x'));
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer access-2');
});
