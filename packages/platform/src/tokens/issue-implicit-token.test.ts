import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT_SCOPE, type TestAccount, type TestClient, TokenWorld } from '../../test/token-world.ts';
import { issueImplicitToken } from './index.ts';

let world: TokenWorld;

beforeAll(async () => {
  world = await TokenWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function implicit(client: TestClient, account: TestAccount): Promise<{ token: string; expiresIn: number }> {
  const issued = await world.db.withTenant(client.id, (tx) =>
    issueImplicitToken(tx, { applicationId: client.id, ...account, scope: ACCOUNT_SCOPE, endUser: null, now: world.now }),
  );
  return { token: issued.accessToken.reveal(), expiresIn: issued.expiresIn };
}

test('RFC 6749 §4.2.2: an implicit token lasts an hour, has no refresh token and makes the account live', async () => {
  const client = await world.client();
  const account = await world.connected(client);
  const { token, expiresIn } = await implicit(client, account);
  expect(expiresIn).toBe(3600);
  expect((await world.verify(token)).json).toMatchObject({
    client_id: client.id,
    account_id: account.accountId,
    scope: ACCOUNT_SCOPE,
    expires_in: 3600,
  });
  expect(await world.db.withTenant(client.id, (tx) => tx.query(sql`select from refresh_tokens`))).toHaveLength(0);
  world.advance(3600);
  expect(await world.isLive(token)).toBe(false);
});

test('its grant is cleared away with it', async () => {
  const client = await world.client();
  await implicit(client, await world.connected(client));
  world.advance(3601);
  await implicit(client, await world.connected(client));
  const rows = await world.db.withTenant(client.id, async (tx) => [
    await tx.query(sql`select from grants`),
    await tx.query(sql`select from access_tokens`),
  ]);
  expect(rows.map((each) => each.length)).toEqual([1, 1]);
});
