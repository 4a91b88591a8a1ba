import { sql } from '@bulkhead/postgres';
import { ACCESS_TOKEN_TYPE, allowsPassthrough, API_KEY_TYPE, type PassthroughLimits } from '@bulkhead/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACCOUNT_SCOPE, type OAuthAnswer, type TestAccount, type TestClient, TokenWorld } from '../../../test/token-world.ts';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

let world: TokenWorld;
let client: TestClient;
let account: TestAccount;

beforeAll(async () => {
  world = await TokenWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  client = await world.client();
  account = await world.connected(client, { endUser: 'ada', live: true });
});

type Parameters = Record<string, string | number | undefined>;

function exchangeKey(changes: Parameters = {}, as: TestClient = client): Promise<OAuthAnswer> {
  const parameters = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: client.apiKey,
    subject_token_type: API_KEY_TYPE,
    account_id: account.accountId,
    ...changes,
  };
  return world.token(parameters, { authorization: `APIKey ${as.apiKey}` });
}

function exchangeToken(subject: string, changes: Parameters = {}, as: TestClient = client): Promise<OAuthAnswer> {
  const parameters = { grant_type: TOKEN_EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN_TYPE, ...changes };
  return world.token(parameters, { authorization: `APIKey ${as.apiKey}` });
}

const limits = (...details: PassthroughLimits[]) => JSON.stringify(details.map((detail) => ({ type: 'passthrough', ...detail })));

async function token(answer: Promise<OAuthAnswer>): Promise<string> {
  const { status, json } = await answer;
  if (status !== 200) throw new Error(`no token: ${JSON.stringify(json)}`);
  return json.access_token;
}

describe('token exchange (RFC 8693)', () => {
  test('an API key exchanges for a token that reaches one account only', async () => {
    const { status, json } = await exchangeKey();
    expect(status).toBe(200);
    expect(json).toEqual({
      access_token: expect.stringMatching(/^bha_/),
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: 'Bearer',
      scope: ACCOUNT_SCOPE,
      account_id: account.accountId,
      expires_in: 3600,
      end_user: 'ada',
    });
    expect((await world.verify(json.access_token)).json).toMatchObject({
      client_id: client.id,
      account_id: account.accountId,
      scope: ACCOUNT_SCOPE,
    });
  });

  test('the details granted are in the answer, in their normal form (RFC 9396 §7)', async () => {
    const { json } = await exchangeKey({ authorization_details: limits({ methods: ['GET'], path_prefix: '/%66iles/' }) });
    expect(json.authorization_details).toEqual([{ type: 'passthrough', methods: ['GET'], path_prefix: '/files' }]);
  });

  test('a JSON body may hold numbers and a list where a form holds text', async () => {
    const answer = await world.send('/v1/oauth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `APIKey ${client.apiKey}` },
      body: JSON.stringify({
        grant_type: TOKEN_EXCHANGE,
        subject_token: client.apiKey,
        subject_token_type: API_KEY_TYPE,
        account_id: account.accountId,
        expires_in: 60,
        authorization_details: [{ type: 'passthrough', methods: ['GET'] }],
      }),
    });
    expect(answer.json).toMatchObject({
      account_id: account.accountId,
      expires_in: 60,
      authorization_details: [{ type: 'passthrough', methods: ['GET'] }],
    });
  });

  test('it is written into the audit log with what was granted', async () => {
    await exchangeKey({ authorization_details: limits({ methods: ['GET'] }) });
    const [entry] = await world.db.withTenant(client.id, (tx) => tx.query(sql`select target, detail from audit_entries`));
    expect(entry).toEqual({
      target: String(account.accountId),
      detail: {
        grant_type: TOKEN_EXCHANGE,
        subject: 'api_key',
        scope: ACCOUNT_SCOPE,
        expires: expect.any(String),
        authorization_details: [{ type: 'passthrough', methods: ['GET'] }],
      },
    });
  });
});

describe('what is refused', () => {
  test('control: the same requests without their fault succeed', async () => {
    expect((await exchangeKey()).status).toBe(200);
    expect((await exchangeToken(await token(exchangeKey()))).status).toBe(200);
  });

  test.each<[string, string, Parameters]>([
    ['no account_id', 'invalid_request', { account_id: undefined }],
    ['an unknown account_id', 'invalid_request', { account_id: 999_999_999 }],
    ['an account_id that is no number', 'invalid_request', { account_id: '1 or 1=1' }],
    ['no subject_token', 'invalid_request', { subject_token: undefined }],
    ['no subject_token_type', 'invalid_request', { subject_token_type: undefined }],
    ['another subject_token_type', 'invalid_request', { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }],
    ['the type of the other kind of subject', 'invalid_request', { subject_token_type: ACCESS_TOKEN_TYPE }],
    ['a refresh token asked for', 'invalid_request', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['an actor', 'invalid_request', { actor_token: 'x', actor_token_type: ACCESS_TOKEN_TYPE }],
    ['a resource of somebody else', 'invalid_target', { resource: 'https://other.example' }],
    ['an audience of somebody else', 'invalid_target', { audience: 'other' }],
    ['a scope beyond the account', 'invalid_scope', { scope: 'gdrive.storage.all' }],
    ['a scope of another service', 'invalid_scope', { scope: 'salesforce.crm' }],
    ['a scope that cannot be read', 'invalid_scope', { scope: '"' }],
    ['a lifetime of nothing', 'invalid_request', { expires_in: 0 }],
    ['a lifetime below nothing', 'invalid_request', { expires_in: -1 }],
    ['a lifetime in words', 'invalid_request', { expires_in: 'forever' }],
    ['a lifetime with an exponent', 'invalid_request', { expires_in: '1e9' }],
    ['details that are no JSON', 'invalid_authorization_details', { authorization_details: 'GET' }],
    ['details that are no list', 'invalid_authorization_details', { authorization_details: '{"type":"passthrough"}' }],
    ['no details in a list', 'invalid_authorization_details', { authorization_details: '[]' }],
    ['details of another type', 'invalid_authorization_details', { authorization_details: '[{"type":"payment_initiation"}]' }],
    ['details with an unknown field', 'invalid_authorization_details', { authorization_details: '[{"type":"passthrough","hosts":["x"]}]' }],
    [
      'details with a prefix that leads out',
      'invalid_authorization_details',
      { authorization_details: limits({ path_prefix: '/files/%252e%252e' }) },
    ],
  ])('%s', async (_, error, changes) => {
    const answer = await exchangeKey(changes);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toBe(error);
    expect(answer.json.access_token).toBeUndefined();
  });

  test('a foreign account answers exactly like a missing one', async () => {
    const other = await world.client();
    const foreign = await world.connected(other, { live: true });
    const bodies = [await exchangeKey({ account_id: foreign.accountId }), await exchangeKey({ account_id: 999_999_999 })];
    expect(bodies.map(({ status, json }) => ({ status, ...json, id: 0 }))[0]).toEqual(
      bodies.map(({ status, json }) => ({ status, ...json, id: 0 }))[1],
    );
  });

  test('an account that waits for its confirmation', async () => {
    const waiting = await world.connected(client);
    expect((await exchangeKey({ account_id: waiting.accountId })).json.error).toBe('invalid_request');
  });

  test('the API key or access token of another Application, whoever asks', async () => {
    const other = await world.client();
    const theirs = await world.connected(other, { live: true });
    expect((await exchangeKey({ subject_token: other.apiKey, account_id: theirs.accountId })).json.error).toBe('invalid_request');
    const mine = await token(exchangeKey());
    expect((await exchangeToken(mine, {}, other)).json.error).toBe('invalid_request');
    expect((await exchangeToken(mine)).status).toBe(200);
  });

  test('a request without client authentication', async () => {
    const answer = await world.token({
      grant_type: TOKEN_EXCHANGE,
      subject_token: client.apiKey,
      subject_token_type: API_KEY_TYPE,
      account_id: account.accountId,
    });
    expect(answer).toMatchObject({ status: 401, json: { error: 'invalid_client' } });
  });

  test('an expired or revoked subject', async () => {
    const short = await token(exchangeKey({ expires_in: 10 }));
    world.advance(10);
    expect((await exchangeToken(short)).json.error).toBe('invalid_request');
    const revoked = await token(exchangeKey());
    await world.post('/v1/oauth/revoke', { token: revoked }, { authorization: `APIKey ${client.apiKey}` });
    expect((await exchangeToken(revoked)).json.error).toBe('invalid_request');
  });
});

describe('V1: an exchanged token never widens', () => {
  test('account: a token reaches its own account and no other', async () => {
    const second = await world.connected(client, { live: true });
    const parent = await token(exchangeKey());
    expect((await exchangeToken(parent, { account_id: second.accountId })).json.error).toBe('invalid_request');
    expect((await exchangeToken(parent, { account_id: account.accountId })).status).toBe(200);
  });

  test('scope: an exchanged token never holds a scope its subject lacks', async () => {
    const parent = await token(exchangeKey({ scope: 'gdrive.storage.read' }));
    expect((await exchangeToken(parent)).json.scope).toBe('gdrive:normal.storage.read:kloudless');
    expect((await exchangeToken(parent, { scope: 'storage.all.read' })).json.scope).toBe('gdrive:normal.storage.read:kloudless');
    for (const scope of ['gdrive.storage', ACCOUNT_SCOPE, 'any', 'all'])
      expect((await exchangeToken(parent, { scope })).json.error).toBe('invalid_scope');
  });

  test('lifetime: at most a day, and never beyond the subject', async () => {
    expect((await exchangeKey({ expires_in: 10_000_000 })).json.expires_in).toBe(86_400);
    const parent = await token(exchangeKey({ expires_in: 100 }));
    world.advance(40);
    expect((await exchangeToken(parent, { expires_in: 3600 })).json.expires_in).toBe(60);
    expect((await exchangeToken(parent, { expires_in: 5 })).json.expires_in).toBe(5);
  });

  test('limits: a child repeats or narrows each of them, and inherits all by saying nothing', async () => {
    const details = { methods: ['GET', 'POST'], path_prefix: '/files', origins: ['https://app.example'] };
    const parent = await token(exchangeKey({ authorization_details: limits(details) }));
    expect((await exchangeToken(parent)).json.authorization_details).toEqual([{ type: 'passthrough', ...details }]);
    const narrower = { ...details, methods: ['GET'], path_prefix: '/files/a' };
    expect((await exchangeToken(parent, { authorization_details: limits(narrower) })).status).toBe(200);
    for (const wider of [
      {},
      { ...details, methods: ['GET', 'DELETE'] },
      { ...details, path_prefix: '/' },
      { ...details, path_prefix: '/files-old' },
      { ...details, origins: ['https://app.example', 'https://evil.example'] },
      { methods: ['GET'] },
      { path_prefix: '/files', origins: ['https://app.example'] },
      { methods: ['GET'], path_prefix: '/files' },
    ])
      expect((await exchangeToken(parent, { authorization_details: limits(wider) })).json.error, JSON.stringify(wider)).toBe(
        'invalid_authorization_details',
      );
    expect((await exchangeToken(parent, { authorization_details: limits(details, {}) })).json.error).toBe('invalid_authorization_details');
  });

  test('a chain ends after eight exchanges, so that its end can always be deleted with its start', async () => {
    const first = await token(exchangeKey());
    let last = first;
    for (let depth = 2; depth <= 8; depth++) last = await token(exchangeToken(last));
    expect(await exchangeToken(last)).toMatchObject({
      status: 400,
      json: { error: 'invalid_request', error_description: expect.stringContaining('chain of 8') },
    });
    await world.post('/v1/oauth/revoke', { token: first }, { authorization: `APIKey ${client.apiKey}` });
    expect(await world.isLive(last)).toBe(false);
  });

  test('whatever a chain of exchanges asks for, no link allows what the one before did not', { timeout: 180_000 }, async () => {
    const detail = fc.record(
      {
        methods: fc.subarray(['GET', 'POST'], { minLength: 1 }),
        path_prefix: fc.constantFrom('/', '/a', '/a/b', '/b', '/a%2Fb'),
        origins: fc.subarray(['https://a.example', 'https://b.example'], { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    const step = fc.record(
      {
        scope: fc.constantFrom('gdrive.storage', 'gdrive.storage.read', 'any', 'gdrive.storage.all', 'gdrive.basic'),
        expires_in: fc.integer({ min: 1, max: 200_000 }),
        authorization_details: fc.array(detail, { minLength: 1, maxLength: 2 }).map((details) => limits(...details)),
      },
      { requiredKeys: [] },
    );
    const requests = ['GET', 'POST', 'PUT'].flatMap((method) =>
      ['/', '/a', '/a/b/c', '/ab', '/b', '/a%2Fb'].flatMap((path) =>
        ['https://a.example', 'https://b.example', null].map((origin) => ({ method, path, origin })),
      ),
    );
    const ranks = ['gdrive:normal.basic.default:kloudless', 'gdrive:normal.storage.read:kloudless', ACCOUNT_SCOPE];
    let granted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 4 }), async (steps) => {
        let before: OAuthAnswer['json'] = null;
        // The last link asks for nothing and inherits, so that in every chain something is granted.
        for (const asked of [...steps, {}]) {
          const answer: OAuthAnswer = before === null ? await exchangeKey(asked) : await exchangeToken(before.access_token, asked);
          if (answer.status !== 200) continue;
          const now = answer.json;
          if (before !== null) {
            granted += 1;
            expect(now.account_id).toBe(before.account_id);
            expect(now.expires_in).toBeLessThanOrEqual(before.expires_in);
            expect(ranks.indexOf(now.scope)).toBeLessThanOrEqual(ranks.indexOf(before.scope));
            for (const request of requests)
              if (allowsPassthrough(now.authorization_details ?? null, request))
                expect(allowsPassthrough(before.authorization_details ?? null, request)).toBe(true);
          }
          before = now;
        }
      }),
      { numRuns: 25 },
    );
    expect(granted, 'some links were granted').toBeGreaterThan(10);
  });
});

describe('V1: children die with their parents', () => {
  const dead = async (tokens: string[]) => Promise.all(tokens.map(async (each) => !(await world.isLive(each))));

  async function family(): Promise<[string, string, string]> {
    const parent = await token(exchangeKey());
    const child = await token(exchangeToken(parent));
    return [parent, child, await token(exchangeToken(child))];
  }

  test('when the API key at the start is deleted', async () => {
    const tokens = await family();
    expect(await dead(tokens)).toEqual([false, false, false]);
    await world.db.withTenant(client.id, (tx) => tx.execute(sql`delete from api_keys where api_key_id = ${client.apiKeyId}`));
    expect(await dead(tokens)).toEqual([true, true, true]);
  });

  test('when the token in the middle is revoked, those above it stay', async () => {
    const tokens = await family();
    await world.post('/v1/oauth/revoke', { token: tokens[1] }, { authorization: `APIKey ${client.apiKey}` });
    expect(await dead(tokens)).toEqual([false, true, true]);
  });

  test('when the grant at the start ends', async () => {
    const { accessToken, refreshToken } = await world.grant(client);
    const child = await token(exchangeToken(accessToken));
    await world.post('/v1/oauth/revoke', { token: refreshToken }, { authorization: `APIKey ${client.apiKey}` });
    expect(await dead([accessToken, child])).toEqual([true, true]);
  });

  test('when the account is switched off, and they are back when it is on', async () => {
    const tokens = await family();
    const setActive = (active: boolean) =>
      world.db.withTenant(client.id, (tx) =>
        tx.execute(sql`update accounts set active = ${active} where account_id = ${account.accountId}`),
      );
    await setActive(false);
    expect(await dead(tokens)).toEqual([true, true, true]);
    await setActive(true);
    expect(await dead(tokens)).toEqual([false, false, false]);
  });

  test('when the account is deleted', async () => {
    const tokens = await family();
    await world.db.withTenant(client.id, (tx) => tx.execute(sql`delete from accounts where account_id = ${account.accountId}`));
    expect(await dead(tokens)).toEqual([true, true, true]);
  });

  test.each(['active = false', 'deleted_at = now()'])('when the Application is set %s', async (change) => {
    const tokens = await family();
    const statement = change.startsWith('active')
      ? sql`update applications set active = false`
      : sql`update applications set deleted_at = now()`;
    await world.db.withTenant(client.id, (tx) => tx.execute(statement));
    expect(await dead(tokens)).toEqual([true, true, true]);
  });

  test('however an exchange and the deletion of its subject meet, no child is left alive', async () => {
    const parents = await Promise.all(Array.from({ length: 8 }, () => token(exchangeKey())));
    await Promise.all(
      parents.map(async (parent) => {
        const [answers] = await Promise.all([
          Promise.all(Array.from({ length: 3 }, () => exchangeToken(parent))),
          world.post('/v1/oauth/revoke', { token: parent }, { authorization: `APIKey ${client.apiKey}` }),
        ]);
        for (const { status, json } of answers) {
          if (status === 200) expect(await world.isLive(json.access_token)).toBe(false);
          else expect(json.error).toBe('invalid_request');
        }
      }),
    );
  });
});
