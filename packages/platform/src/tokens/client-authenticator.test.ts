import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alteredEnd } from '@bulkhead/testkit';
import { type OAuthAnswer, type TestClient, TokenWorld } from '../../test/token-world.ts';
import { updateApplication } from '../applications/index.ts';

let world: TokenWorld;
let client: TestClient;
let other: TestClient;
let token: string;

beforeAll(async () => {
  world = await TokenWorld.create();
  client = await world.client();
  other = await world.client();
  token = (await world.grant(client)).accessToken;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** Introspection needs an authenticated client, so it tells who was taken for whom: `active` only for the token's own Application. */
function introspect(parameters: Record<string, string> = {}, authorization?: string): Promise<OAuthAnswer> {
  return world.post('/v1/oauth/introspect', { token, ...parameters }, authorization === undefined ? {} : { authorization });
}

const active = { status: 200, json: { active: true } };
const refused = { status: 401, json: { error: 'invalid_client', error_code: 'unauthorized' } };

describe('RFC 6749 §2.3 client authentication', () => {
  test.each([
    ['Authorization: APIKey', () => introspect({}, `APIKey ${client.apiKey}`)],
    ['the scheme in another case', () => introspect({}, `ApiKey ${client.apiKey}`)],
    ['APIKey beside the client_id', () => introspect({ client_id: client.id }, `APIKey ${client.apiKey}`)],
    [
      'the same key in header and form, as Kloudless’s clients send it',
      () => introspect({ client_id: client.id, client_secret: client.apiKey }, `APIKey ${client.apiKey}`),
    ],
    ['Basic', () => introspect({}, basic(client.id, client.apiKey))],
    ['Basic, form-encoded as §2.3.1 has it', () => introspect({}, basic(client.id, client.apiKey.replaceAll('_', '%5F')))],
    ['Basic beside the same client_id', () => introspect({ client_id: client.id }, basic(client.id, client.apiKey))],
    ['client_id and client_secret in the form', () => introspect({ client_id: client.id, client_secret: client.apiKey })],
  ])('%s is accepted', async (_, call) => {
    expect(await call()).toMatchObject(active);
  });

  test('client_id and client_secret in a JSON body are accepted', async () => {
    const answer = await world.send('/v1/oauth/introspect', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, client_id: client.id, client_secret: client.apiKey }),
    });
    expect(answer).toMatchObject(active);
  });

  test.each([
    ['nothing', () => introspect()],
    ['client_id alone, where a secret is needed', () => introspect({ client_id: client.id })],
    ['an unknown client', () => introspect({ client_id: 'app0000000000000000000000', client_secret: client.apiKey })],
    ['a client_id that is none', () => introspect({ client_id: 'x' })],
    ['a wrong secret', () => introspect({ client_id: client.id, client_secret: alteredEnd(client.apiKey) })],
    ['the key of another Application', () => introspect({ client_id: client.id, client_secret: other.apiKey })],
    ['the key of another Application in Basic', () => introspect({}, basic(client.id, other.apiKey))],
    ['APIKey beside the client_id of another', () => introspect({ client_id: other.id }, `APIKey ${client.apiKey}`)],
    ['an access token as secret', () => introspect({ client_id: client.id, client_secret: token })],
    ['Bearer', () => introspect({}, `Bearer ${client.apiKey}`)],
    ['Bearer with an access token', () => introspect({}, `Bearer ${token}`)],
    ['two keys, comma-separated', () => introspect({}, `APIKey ${client.apiKey},${client.apiKey}`)],
    ['Basic that is no base64', () => introspect({}, 'Basic ***')],
    ['Basic without a colon', () => introspect({}, `Basic ${Buffer.from(client.id).toString('base64')}`)],
    ['Basic without an id', () => introspect({}, basic('', client.apiKey))],
    ['Basic with a broken escape', () => introspect({}, basic(client.id, '%zz'))],
  ])('%s is refused', async (_, call) => {
    const answer = await call();
    expect(answer).toMatchObject(refused);
    expect(answer.headers.get('www-authenticate')).toMatch(/realm=/);
  });

  test('A5: an unknown client and a wrong secret answer alike', async () => {
    const answers = [
      await introspect({ client_id: 'app0000000000000000000000', client_secret: client.apiKey }),
      await introspect({ client_id: client.id, client_secret: other.apiKey }),
      await introspect({ client_id: client.id, client_secret: 'x' }),
      await introspect({}, basic(client.id, 'x')),
    ];
    expect(new Set(answers.map(({ status, json }) => JSON.stringify({ ...json, status, id: 0 }))).size).toBe(1);
  });

  test.each([
    ['Basic beside client_secret', () => introspect({ client_secret: client.apiKey }, basic(client.id, client.apiKey))],
    ['APIKey beside another client_secret', () => introspect({ client_secret: other.apiKey }, `APIKey ${client.apiKey}`)],
    ['a Bearer beside client_secret', () => introspect({ client_id: client.id, client_secret: client.apiKey }, 'Bearer anything')],
    ['Basic beside another client_id', () => introspect({ client_id: other.id }, basic(client.id, client.apiKey))],
  ])('A7: %s is two credentials: 400', async (_, call) => {
    expect(await call()).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  });

  test.each(['client_id', 'client_secret'])('%s twice is a malformed request', async (name) => {
    const body = new URLSearchParams({ token, client_id: client.id, client_secret: client.apiKey });
    body.append(name, body.get(name)!);
    expect(await world.send('/v1/oauth/introspect', { method: 'POST', body })).toMatchObject({
      status: 400,
      json: { error: 'invalid_request' },
    });
  });

  test.each(['null', '[]', '"text"', '7'])('the JSON body %s is refused, not stumbled over', async (body) => {
    const answer = await world.send('/v1/oauth/introspect', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `APIKey ${client.apiKey}` },
      body,
    });
    expect(answer).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  });

  test('the keys of an inactive Application are worth nothing, nor is its client_id', async () => {
    const sleeping = await world.client();
    const { refreshToken } = await world.grant(sleeping);
    const refresh = () => world.token({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: sleeping.id });
    expect((await refresh()).json.error).toBe('invalid_grant');
    await world.db.withTenant(sleeping.id, (tx) => updateApplication(tx, sleeping.id, { active: false }, world.now));
    expect(await refresh()).toMatchObject(refused);
    expect(await introspect({ client_id: sleeping.id, client_secret: sleeping.apiKey })).toMatchObject(refused);
  });
});
