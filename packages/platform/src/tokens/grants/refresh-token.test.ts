import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACCOUNT_SCOPE, type OAuthAnswer, pkcePair, REDIRECT_URI, type TestClient, TokenWorld } from '../../../test/token-world.ts';

let world: TokenWorld;
let client: TestClient;

beforeAll(async () => {
  world = await TokenWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  client = await world.client();
});

function refresh(
  token: string,
  changes: Record<string, string | undefined> = {},
  as: TestClient | 'public' = client,
): Promise<OAuthAnswer> {
  const parameters = { grant_type: 'refresh_token', refresh_token: token, ...changes };
  return as === 'public'
    ? world.token({ client_id: client.id, ...parameters })
    : world.token(parameters, { authorization: `APIKey ${as.apiKey}` });
}

const invalidGrant = { status: 400, json: expect.objectContaining({ error: 'invalid_grant' }) };

describe('RFC 6749 §6 refreshing', () => {
  test('a refresh token gives a new access token and a new refresh token, for the same account', async () => {
    const { account, accessToken, refreshToken } = await world.grant(client, { endUser: 'ada' });
    const { status, json } = await refresh(refreshToken);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      token_type: 'Bearer',
      scope: ACCOUNT_SCOPE,
      account_id: account.accountId,
      expires_in: 3600,
      end_user: 'ada',
    });
    expect(new Set([accessToken, json.access_token]).size).toBe(2);
    expect(new Set([refreshToken, json.refresh_token]).size).toBe(2);
    expect(await world.isLive(json.access_token)).toBe(true);
  });

  test('its second use ends the grant: all tokens of it are dead', async () => {
    const { accessToken, refreshToken } = await world.grant(client);
    const { json } = await refresh(refreshToken);
    expect(await world.isLive(accessToken)).toBe(true);
    expect(await refresh(refreshToken)).toMatchObject(invalidGrant);
    for (const token of [accessToken, json.access_token]) expect(await world.isLive(token)).toBe(false);
    expect(await refresh(json.refresh_token)).toMatchObject(invalidGrant);
  });

  test('ten refreshes with one token at the same moment: one succeeds, and the grant ends', async () => {
    // Several rounds, because whether they meet half-way is a matter of luck.
    for (let round = 0; round < 6; round++) {
      const { refreshToken } = await world.grant(client);
      const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
      const winners = answers.filter(({ status }) => status === 200);
      expect(winners).toHaveLength(1);
      // Each of the others is told so; none is sent away because they stood in each other's way.
      expect(answers.filter(({ json }) => json.error === 'invalid_grant')).toHaveLength(9);
      expect(await world.isLive(winners[0]!.json.access_token)).toBe(false);
    }
  });

  test('the grant of another user is untouched by it', async () => {
    const [one, two] = [await world.grant(client), await world.grant(client)];
    await refresh(one.refreshToken);
    await refresh(one.refreshToken);
    expect(await world.isLive(one.accessToken)).toBe(false);
    expect(await world.isLive(two.accessToken)).toBe(true);
  });

  test('it expires after 30 days without use; each refresh begins them anew', async () => {
    const days = 24 * 3600;
    const { refreshToken } = await world.grant(client);
    world.advance(29 * days);
    const second = (await refresh(refreshToken)).json.refresh_token;
    world.advance(29 * days);
    const third = (await refresh(second)).json.refresh_token;
    world.advance(30 * days);
    expect(await refresh(third)).toMatchObject(invalidGrant);
  });

  test('a grant redeemed by an authenticated client is not refreshed by client_id alone', async () => {
    const { refreshToken } = await world.grant(client);
    expect(await refresh(refreshToken, {}, 'public')).toMatchObject(invalidGrant);
    expect((await refresh(refreshToken)).status, 'and the token is not spent by the attempt').toBe(200);
  });

  test('a public client refreshes what it redeemed itself', async () => {
    const account = await world.connected(client);
    const { verifier, challenge } = pkcePair();
    const code = await world.code(client, account, { codeChallenge: challenge });
    const redeemed = await world.token({
      grant_type: 'authorization_code',
      client_id: client.id,
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
    });
    expect((await refresh(redeemed.json.refresh_token, {}, 'public')).status).toBe(200);
  });

  test('another Application gets nothing for it and ends nothing', async () => {
    const other = await world.client();
    const { accessToken, refreshToken } = await world.grant(client);
    expect(await refresh(refreshToken, {}, other)).toMatchObject(invalidGrant);
    expect(await world.isLive(accessToken)).toBe(true);
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test('an access token is no refresh token', async () => {
    const { accessToken } = await world.grant(client);
    expect(await refresh(accessToken)).toMatchObject(invalidGrant);
  });

  test('an inactive account is not refreshed, and can be again once it is active', async () => {
    const { account, refreshToken } = await world.grant(client);
    const setActive = (active: boolean) =>
      world.db.withTenant(client.id, (tx) =>
        tx.execute(sql`update accounts set active = ${active} where account_id = ${account.accountId}`),
      );
    await setActive(false);
    expect(await refresh(refreshToken)).toMatchObject(invalidGrant);
    await setActive(true);
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test.each([
    ['more than was granted', 'gdrive:normal.storage.all'],
    ['another service', 'salesforce.crm'],
    ['something beside what was granted', `${ACCOUNT_SCOPE} salesforce.crm`],
    ['upstream scopes of its own', 'gdrive.storage."https://www.googleapis.com/auth/drive":raw'],
    ['administrator rights', 'gdrive:admin.storage'],
    ['nonsense', 'gdrive..'],
  ])('a scope of %s is refused, and the token stays good', async (_, scope) => {
    const { refreshToken } = await world.grant(client);
    expect(await refresh(refreshToken, { scope })).toMatchObject({ status: 400, json: { error: 'invalid_scope' } });
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test('a smaller scope holds for that access token; the grant keeps its own (§6)', async () => {
    const { refreshToken } = await world.grant(client);
    const first = await refresh(refreshToken, { scope: 'gdrive.storage.read' });
    expect(first.json.scope).toBe('gdrive:normal.storage.read:kloudless');
    const second = await refresh(first.json.refresh_token);
    expect(second.json.scope).toBe(ACCOUNT_SCOPE);
  });

  test('what has expired is cleared away by later issuances, and what is live is not', async () => {
    const grants = [await world.grant(client), await world.grant(client), await world.grant(client)];
    const kept = (await refresh(grants[0]!.refreshToken)).json;
    world.advance(29 * 24 * 3600);
    const last = (await refresh(kept.refresh_token)).json;
    world.advance(2 * 24 * 3600);
    await world.grant(client);
    const count = await world.db.withTenant(client.id, async (tx) => ({
      grants: await tx.query(sql`select grant_id from grants`),
      access: await tx.query(sql`select token_hash from access_tokens`),
    }));
    expect(count.grants).toHaveLength(2);
    expect(count.access).toHaveLength(1);
    expect((await refresh(last.refresh_token)).status).toBe(200);
  });
});

describe('a refresh that meets the end of what it renews', () => {
  test('a revocation in the same moment neither stalls nor fails it, and afterwards nothing is alive', async () => {
    for (let round = 0; round < 15; round++) {
      const { accessToken, refreshToken } = await world.grant(client);
      const [refreshed, revoked] = await Promise.all([
        refresh(refreshToken),
        world.post('/v1/oauth/revoke', { token: refreshToken }, { authorization: `APIKey ${client.apiKey}` }),
      ]);
      expect(revoked.status).toBe(200);
      expect([200, 400]).toContain(refreshed.status);
      for (const token of [accessToken, refreshed.json.access_token ?? accessToken]) expect(await world.isLive(token)).toBe(false);
    }
  });

  test('nor does the deletion of its account', async () => {
    for (let round = 0; round < 15; round++) {
      const { account, accessToken, refreshToken } = await world.grant(client);
      const [refreshed] = await Promise.all([
        refresh(refreshToken),
        world.db.withTenant(client.id, (tx) => tx.execute(sql`delete from accounts where account_id = ${account.accountId}`)),
      ]);
      expect([200, 400]).toContain(refreshed.status);
      for (const token of [accessToken, refreshed.json.access_token ?? accessToken]) expect(await world.isLive(token)).toBe(false);
    }
  });
});
