import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
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

describe('RFC 9126 pushed authorization request', () => {
  it('gives a request_uri that can be used once, within ten minutes', async () => {
    const pushed = await connect.push(application);
    expect(pushed.status).toBe(201);
    expect(Object.keys(pushed.json)).toEqual(['request_uri', 'expires_in']);
    expect(pushed.json.request_uri).toMatch(/^urn:ietf:params:oauth:request_uri:bhp_/);
    expect(pushed.json.expires_in).toBe(600);
    const first = await new Visitor().get(useUrl(application, pushed.json.request_uri));
    expect(first.location.startsWith(connect.upstream.url)).toBe(true);
    const second = await new Visitor().get(useUrl(application, pushed.json.request_uri));
    expect([second.status, second.location]).toEqual([400, '']);
    expect(second.text).toContain('authorization.request_uri_unknown');
    expect(second.text).toContain('This link was opened already');
  });

  it('ten browsers at once: one begins', async () => {
    const { request_uri: requestUri } = (await connect.push(application)).json;
    const answers = await Promise.all(Array.from({ length: 10 }, () => new Visitor().get(useUrl(application, requestUri))));
    expect(answers.map(({ status }) => status).filter((status) => status === 303).length).toBe(1);
  });

  it('is over after ten minutes', async () => {
    const { request_uri: requestUri } = (await connect.push(application)).json;
    connect.world.clock.advance(601_000);
    expect((await new Visitor().get(useUrl(application, requestUri))).status).toBe(400);
  });

  it('parameters beside it are ignored (§4)', async () => {
    const { request_uri: requestUri } = (await connect.push(application)).json;
    const visitor = new Visitor();
    const begun = await visitor.get(
      useUrl(application, requestUri, { redirect_uri: 'https://evil.example', state: 'other', 'raw[prompt]': 'x', end_user: 'mallory' }),
    );
    expect(begun.location).not.toContain('prompt');
    const done = await connect.approve(visitor, begun);
    expect(done.location.startsWith(REDIRECT_URI)).toBe(true);
    expect(answerOf(done.location).get('state')).toBe('s');
  });

  it("another client's request_uri is unknown, and stays good for its own", async () => {
    const other = await connect.application();
    const { request_uri: requestUri } = (await connect.push(application)).json;
    expect((await new Visitor().get(useUrl(other, requestUri))).status).toBe(400);
    expect((await new Visitor().get(useUrl(application, requestUri))).status).toBe(303);
  });

  it('what was registered when it was pushed must be registered still', async () => {
    const own = await connect.application();
    const { request_uri: requestUri } = (await connect.push(own)).json;
    const uris = await connect.world.meta('GET', `/applications/${own.id}/redirect_uris`);
    await connect.world.meta('DELETE', `/applications/${own.id}/redirect_uris/${uris.json.objects[0].id}`);
    const answer = await new Visitor().get(useUrl(own, requestUri));
    expect([answer.status, answer.location]).toEqual([400, '']);
  });

  it('stands in the database as a hash, and in the audit log as an act of the API key', async () => {
    const { request_uri: requestUri } = (await connect.push(application, { end_user: 'user-7' })).json;
    const { dump, audited } = await connect.world.database.database.withSystem('test', async (tx) => ({
      dump: await tx.query(sql`select t::text as row from pushed_authorization_requests t`),
      audited: await tx.query<{ actor: { kind: string; id: string }; detail: unknown }>(
        sql`select actor, detail from audit_entries where application_id = ${application.id} and action = 'authorization.push'`,
      ),
    }));
    expect(JSON.stringify(dump)).not.toContain(requestUri.slice(-40));
    expect(
      audited.some(
        ({ actor, detail }) => actor.kind === 'client' && actor.id.startsWith('key') && JSON.stringify(detail).includes('user-7'),
      ),
    ).toBe(true);
  });

  it.each<[string, Record<string, string>, string]>([
    ['an unregistered redirect_uri', { redirect_uri: 'https://evil.example' }, 'invalid_request'],
    ['a scope that fits nothing', { scope: 'calendar' }, 'invalid_scope'],
    ['a request_uri', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 'invalid_request'],
    ['response_type=token without the implicit grant', { response_type: 'token' }, 'unauthorized_client'],
    ['another client_id', { client_id: 'app0123456789ABCDEFGHIJKLMNOP' }, 'invalid_client'],
    ['an account that is not there', { account_id: '123456' }, 'invalid_request'],
    ['an account_id that is none', { account_id: 'abc' }, 'invalid_request'],
    ['an end_user with a control character', { end_user: 'a\u0000b' }, 'invalid_request'],
  ])('%s is refused when it is pushed', async (_, fields, error) => {
    const answer = await connect.push(application, fields);
    expect([400, 401]).toContain(answer.status);
    expect(answer.json.error).toBe(error);
  });

  it.each<
    [
      string,
      (client: ConnectApplication, other: ConnectApplication) => { headers?: Record<string, string>; fields?: Record<string, string> },
    ]
  >([
    ['none', () => ({})],
    ['only a client_id', (client) => ({ fields: { client_id: client.id } })],
    ['a wrong secret', (client) => ({ fields: { client_id: client.id, client_secret: 'bhk_wrong' } })],
    ["another Application's key", (client, other) => ({ fields: { client_id: client.id, client_secret: other.apiKey } })],
    ['a Meta token', () => ({ headers: { authorization: `Bearer ${connect.world.metaToken}` } })],
  ])('%s is no client authentication', async (_, given) => {
    const other = await connect.application();
    const { headers = {}, fields = {} } = given(application, other);
    const body = new URLSearchParams({
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      code_challenge: connect.pair.challenge,
      code_challenge_method: 'S256',
      ...fields,
    });
    const answer = await connect.world.call('POST', '/v1/oauth/par', { body, headers });
    expect([answer.status, answer.json.error]).toEqual([401, 'invalid_client']);
  });

  it('Basic, form and JSON are all understood', async () => {
    const parameters = {
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      code_challenge: connect.pair.challenge,
      code_challenge_method: 'S256',
      custom_properties: { team: 'north' },
      raw: { prompt: 'login' },
    };
    const basic = `Basic ${Buffer.from(`${application.id}:${application.apiKey}`).toString('base64')}`;
    const pushed = await connect.world.call('POST', '/v1/oauth/par', { body: parameters, headers: { authorization: basic } });
    expect(pushed.status, pushed.text).toBe(201);
    expect((await new Visitor().get(useUrl(application, pushed.json.request_uri))).location).toContain('prompt=login');
    const inForm = await connect.push(
      { id: application.id, apiKey: application.apiKey },
      { client_id: application.id, client_secret: application.apiKey },
    );
    expect(inForm.status).toBe(201);
  });
});

describe('C1 bound to the end user of the company', () => {
  it('the code is redeemed only for the end user that was pushed, and the account says who', async () => {
    const done = await connectPushed(application, { end_user: 'user-7' });
    const stranger = await connect.redeem(application, done.location, { end_user: 'user-8' });
    expect(stranger.status).toBe(400);
    const again = await connectPushed(application, { end_user: 'user-7' });
    const redeemed = await connect.redeem(application, again.location, { end_user: 'user-7' });
    expect(redeemed.json.end_user).toBe('user-7');
    expect((await accountOf(application, redeemed.json.account_id)).json.end_user).toBe('user-7');
  });

  it('a token, which goes to whoever opens the link, cannot be asked for in the name of an end user', async () => {
    const browserOnly = await connect.application({ implicit_grant_enabled: true });
    const fields = { response_type: 'token', code_challenge: '', code_challenge_method: '' };
    const refused = await connect.push(browserOnly, { ...fields, end_user: 'mallory' });
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_request']);
    expect((await connect.push(browserOnly, fields)).status).toBe(201);
  });

  it('end_user and account_id in a plain query mean nothing', async () => {
    const visitor = new Visitor();
    const done = await connect.approve(visitor, await visitor.get(`${connect.startUrl(application)}&end_user=mallory&account_id=1`));
    const redeemed = await connect.redeem(application, done.location);
    expect(redeemed.status).toBe(200);
    expect(redeemed.json.end_user).toBeUndefined();
  });
});
