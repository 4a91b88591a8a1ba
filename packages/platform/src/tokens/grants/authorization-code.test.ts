import { openDatabase, sql } from '@bulkhead/postgres';
import { silentLog } from '@bulkhead/base';
import { auditTrailOf, provideAuditTrail } from '../../audit/index.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ACCOUNT_SCOPE,
  type OAuthAnswer,
  pkcePair,
  REDIRECT_URI,
  type TestAccount,
  type TestClient,
  TokenWorld,
} from '../../../test/token-world.ts';

let world: TokenWorld;
let client: TestClient;
let account: TestAccount;
const { verifier, challenge } = pkcePair();

beforeAll(async () => {
  world = await TokenWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  client = await world.client();
  account = await world.connected(client);
});

/** Redeems as the authenticated client, with what `changes` says otherwise. */
function redeem(code: string, changes: Record<string, string | undefined> = {}, as: TestClient | 'public' = client): Promise<OAuthAnswer> {
  const parameters = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: verifier, ...changes };
  return as === 'public'
    ? world.token({ client_id: client.id, ...parameters })
    : world.token(parameters, { authorization: `APIKey ${as.apiKey}` });
}

const invalidGrant = { status: 400, json: expect.objectContaining({ error: 'invalid_grant', error_code: 'bad_request' }) };

describe('RFC 6749 §4.1.3 redeeming an authorization code', () => {
  test('a code with its verifier gives an hour, a refresh token and the account', async () => {
    const answer = await redeem(await world.code(client, account, { codeChallenge: challenge }));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      access_token: expect.stringMatching(/^bha_/),
      token_type: 'Bearer',
      scope: ACCOUNT_SCOPE,
      account_id: account.accountId,
      expires_in: 3600,
      refresh_token: expect.stringMatching(/^bhr_/),
    });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await world.isLive(answer.json.access_token)).toBe(true);
  });

  test('a public client redeems with PKCE alone', async () => {
    const answer = await redeem(await world.code(client, account, { codeChallenge: challenge }), {}, 'public');
    expect(answer.status).toBe(200);
    expect(answer.json.refresh_token).toMatch(/^bhr_/);
  });

  test('a code has at least 128 random bits and only characters that every URL takes', async () => {
    const code = await world.code(client, account);
    expect(code).toMatch(/^bhc_[0-9A-Za-z]{22,}_[0-9A-Za-z]{43,}$/);
  });

  test('neither code nor tokens are stored in clear', async () => {
    const code = await world.code(client, account, { codeChallenge: challenge });
    const { json } = await redeem(code);
    const rows = await world.db.withTenant(client.id, async (tx) => [
      ...(await tx.query(sql`select * from authorization_codes`)),
      ...(await tx.query(sql`select * from access_tokens`)),
      ...(await tx.query(sql`select * from refresh_tokens`)),
      ...(await tx.query(sql`select * from audit_entries`)),
    ]);
    const dump = JSON.stringify(rows);
    expect(rows.length).toBeGreaterThanOrEqual(4);
    for (const secret of [code, json.access_token, json.refresh_token]) expect(dump).not.toContain(secret.slice(30));
  });

  test('it makes the account live', async () => {
    const live = () =>
      world.db.withTenant(client.id, (tx) => tx.one(sql`select provisional from accounts where account_id = ${account.accountId}`));
    expect(await live()).toEqual({ provisional: true });
    await redeem(await world.code(client, account, { codeChallenge: challenge }));
    expect(await live()).toEqual({ provisional: false });
  });

  test('it is written into the audit log, without the token', async () => {
    await redeem(await world.code(client, account, { codeChallenge: challenge }));
    const [entry] = await world.db.withTenant(client.id, (tx) =>
      tx.query(sql`select actor, action, detail from audit_entries where action = 'token.issue'`),
    );
    expect(entry).toEqual({
      actor: { kind: 'client', id: client.apiKeyId },
      action: 'token.issue',
      detail: { grant_type: 'authorization_code', account_id: account.accountId, lifetime: 'refreshable' },
    });
  });
});

describe('A3: a code is bound, short and good once', () => {
  test('a code lives 60 seconds, not longer', async () => {
    const first = await world.code(client, account, { codeChallenge: challenge });
    const second = await world.code(client, account, { codeChallenge: challenge });
    world.advance(59);
    expect((await redeem(first)).status).toBe(200);
    world.advance(1);
    expect(await redeem(second)).toMatchObject(invalidGrant);
  });

  test.each([
    ['another redirect_uri', { redirect_uri: `${REDIRECT_URI}/` }],
    ['a redirect_uri with other letters', { redirect_uri: REDIRECT_URI.toUpperCase() }],
    ['another verifier', { code_verifier: pkcePair().verifier }],
    ['the challenge for a verifier, as with "plain"', { code_verifier: challenge }],
    ['no verifier', { code_verifier: undefined }],
    ['an empty verifier', { code_verifier: '' }],
    ['an end user where none was pushed', { end_user: 'ada' }],
  ])('with %s it gives nothing, and is still good for its holder', async (_, changes) => {
    const code = await world.code(client, account, { codeChallenge: challenge });
    expect(await redeem(code, changes)).toMatchObject(invalidGrant);
    expect((await redeem(code)).status).toBe(200);
  });

  test.each(['code', 'redirect_uri'])('without %s the request is invalid, and says so', async (name) => {
    const code = await world.code(client, account, { codeChallenge: challenge });
    const answer = await redeem(code, { [name]: undefined });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: 'invalid_request', error_description: expect.stringContaining(`'${name}': it is missing`) },
    });
  });

  test('another Application gets nothing for it, with a key of its own', async () => {
    const other = await world.client();
    const code = await world.code(client, account, { codeChallenge: challenge });
    expect(await redeem(code, {}, other)).toMatchObject(invalidGrant);
    expect((await redeem(code)).status).toBe(200);
  });

  test.each(['', 'bhc_', 'bhc_x_y', 'nothing'])('%j is no code', async (code) => {
    expect((await redeem(code)).status).toBe(400);
  });

  test('an unknown, a foreign, an expired and a used code answer alike', async () => {
    const other = await world.client();
    const foreign = await world.code(other, await world.connected(other), { codeChallenge: challenge });
    const used = await world.code(client, account, { codeChallenge: challenge });
    await redeem(used);
    const expired = await world.code(client, account, { codeChallenge: challenge });
    world.advance(61);
    const bodies = [];
    for (const code of ['bhc_nonsense', foreign, used, expired]) bodies.push({ ...(await redeem(code)).json, id: undefined });
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(bodies[0]).toMatchObject({ error: 'invalid_grant' });
  });

  test('a second use ends what the first had brought', async () => {
    const code = await world.code(client, account, { codeChallenge: challenge });
    const { json } = await redeem(code);
    expect(await world.isLive(json.access_token)).toBe(true);
    expect(await redeem(code)).toMatchObject(invalidGrant);
    expect(await world.isLive(json.access_token)).toBe(false);
    const refreshed = await world.token(
      { grant_type: 'refresh_token', refresh_token: json.refresh_token },
      { authorization: `APIKey ${client.apiKey}` },
    );
    expect(refreshed).toMatchObject(invalidGrant);
    const [entry] = await world.db.withTenant(client.id, (tx) =>
      tx.query(sql`select detail from audit_entries where action = 'grant.revoke'`),
    );
    expect(entry).toEqual({ detail: { reason: 'reuse', reused: 'authorization_code' } });
  });

  test('a second use long after the minute still ends it', async () => {
    const code = await world.code(client, account, { codeChallenge: challenge });
    const { json } = await redeem(code);
    world.advance(600);
    expect(await redeem(code)).toMatchObject(invalidGrant);
    expect(await world.isLive(json.access_token)).toBe(false);
  });

  test('a code is spent once, even by ten requests at the same moment in two processes', async () => {
    const db = openDatabase({ ...world.tenants.database.urls, log: silentLog, poolSize: 5 });
    provideAuditTrail(db, () => auditTrailOf(world.db));
    const second = await TokenWorld.create({ tenants: world.tenants, db });
    try {
      const code = await world.code(client, account, { codeChallenge: challenge });
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          (at % 2 === 0 ? world : second).token(
            { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: verifier },
            { authorization: `APIKey ${client.apiKey}` },
          ),
        ),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ json }) => json.error === 'invalid_grant')).toHaveLength(9);
    } finally {
      await second.close();
      await db.close();
    }
  });
});

describe('A2: PKCE cannot be taken out on the way', () => {
  test('a verifier for a code that had no challenge is refused', async () => {
    client = await world.client({ pkceRequired: false });
    account = await world.connected(client);
    const code = await world.code(client, account);
    expect(await redeem(code)).toMatchObject(invalidGrant);
    expect((await redeem(code, { code_verifier: undefined })).status).toBe(200);
  });

  test('a public client gets nothing for a code without a challenge', async () => {
    client = await world.client({ pkceRequired: false });
    account = await world.connected(client);
    const code = await world.code(client, account);
    expect(await redeem(code, { code_verifier: undefined }, 'public')).toMatchObject(invalidGrant);
    expect((await redeem(code, { code_verifier: undefined })).status).toBe(200);
  });

  test('an Application that requires PKCE gets nothing for a code without a challenge', async () => {
    const code = await world.code(client, account);
    expect(await redeem(code, { code_verifier: undefined })).toMatchObject(invalidGrant);
  });

  test('an old Kloudless client gets a token without expiry and without refresh token', async () => {
    client = await world.client({ pkceRequired: false });
    account = await world.connected(client);
    const { status, json } = await redeem(await world.code(client, account), { code_verifier: undefined });
    expect(status).toBe(200);
    expect(Object.keys(json).toSorted()).toEqual(['access_token', 'account_id', 'scope', 'token_type']);
    world.advance(365 * 24 * 3600);
    expect(await world.isLive(json.access_token)).toBe(true);
  });
});

describe('C1: a flow pushed for an end user ends with that end user', () => {
  test('the same end user gets the token, which says so', async () => {
    account = await world.connected(client, { endUser: 'ada' });
    const { json } = await redeem(await world.code(client, account, { codeChallenge: challenge, endUser: 'ada' }), { end_user: 'ada' });
    expect(json.end_user).toBe('ada');
    expect((await world.verify(json.access_token)).json.end_user).toBe('ada');
  });

  test.each([undefined, 'eve', 'Ada', 'ada '])(
    '%j instead of "ada" gets nothing, and the account does not become live',
    async (endUser) => {
      account = await world.connected(client, { endUser: 'ada' });
      const code = await world.code(client, account, { codeChallenge: challenge, endUser: 'ada' });
      expect(await redeem(code, { end_user: endUser })).toMatchObject(invalidGrant);
      const row = await world.db.withTenant(client.id, (tx) =>
        tx.one(sql`select provisional from accounts where account_id = ${account.accountId}`),
      );
      expect(row).toEqual({ provisional: true });
    },
  );
});
