import { sql, type Database } from '@bulkhead/postgres';
import { API_KEY_TYPE } from '@bulkhead/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestAccount, type TestClient, TokenWorld } from '../../test/token-world.ts';

let world: TokenWorld;
let client: TestClient;
let account: TestAccount;
/** What the exchanges of this process ask of the database; `tidying` is what has a transaction of its own. */
let asked: { flights: number; tidying: number };
let tidyingFails: boolean;

beforeAll(async () => {
  const first = await TokenWorld.create();
  const { db } = first;
  const counting: Database = {
    ...db,
    tenantQuery: (id, statement) => ((asked.flights += 1), db.tenantQuery(id, statement)),
    tenantQueries: (id, statements) => ((asked.flights += 1), db.tenantQueries(id, statements)),
    recall: (id, name, statement, make) => db.recall(id, name, () => ((asked.flights += 1), statement()), make),
    withTenant: async (id, work) => {
      asked.tidying += 1;
      if (tidyingFails) throw new Error('no');
      return db.withTenant(id, work);
    },
  };
  world = await TokenWorld.create({ tenants: first.tenants, db: counting });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  asked = { flights: 0, tidying: 0 };
  tidyingFails = false;
  client = await world.client();
  account = await world.connected(client, { live: true });
});

async function exchange(as = { client, account }, seconds = 10): Promise<number> {
  const parameters = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: as.client.apiKey,
    subject_token_type: API_KEY_TYPE,
    account_id: as.account.accountId,
    expires_in: seconds,
  };
  return (await world.token(parameters, { authorization: `APIKey ${as.client.apiKey}` })).status;
}

async function exchanges(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) expect(await exchange()).toBe(200);
}

async function tokens(of: TestClient = client): Promise<number> {
  const [row] = await world.tenants.database.database.tenantQuery<{ held: number }>(
    of.id,
    sql`select count(*) as held from access_tokens where application_id = ${of.id}`,
  );
  return row!.held;
}

describe('an exchange', () => {
  test('asks the database three times, and once where client, subject and account are remembered: to write token and audit entry', async () => {
    // The first notes that the key was used, and tidies up.
    await exchanges(1);
    asked = { flights: 0, tidying: 0 };
    // What is remembered may be forgotten at any moment; on the way there nothing else is asked.
    await expect
      .poll(async () => {
        asked = { flights: 0, tidying: 0 };
        await exchanges(1);
        expect(asked.flights).toBeLessThanOrEqual(3);
        return asked;
      })
      .toEqual({ flights: 1, tidying: 0 });
    expect(await world.db.tenantQueries(client.id, [sql`select from audit_entries`])).toEqual([Array(await tokens()).fill({})]);
  });
});

describe('tokens that have expired', () => {
  test('go with the first exchange after a minute, and those that are good stay', async () => {
    await exchanges(3);
    expect(await exchange({ client, account }, 3_600)).toBe(200);
    world.advance(11);
    await exchanges(1);
    expect(await tokens(), 'a minute has not passed').toBe(5);
    world.advance(60);
    await exchanges(1);
    expect(await tokens()).toBe(2);
  });

  test('go with the fiftieth exchange where a minute sees more of them, more than were issued since', async () => {
    await exchanges(1);
    await world.tenants.database.database.withTenant(client.id, (tx) =>
      tx.execute(sql`
        insert into access_tokens (application_id, token_hash, account_id, scope, parent_api_key_id, depth, expires_at)
        select ${client.id}, sha256(n::text::bytea), ${account.accountId}, '', ${client.apiKeyId}, 1, ${new Date(0)}
          from generate_series(1, 900) n`),
    );
    await exchanges(49);
    expect(await tokens()).toBe(950);
    await exchanges(1);
    expect(await tokens()).toBe(51);
    expect(asked.tidying).toBe(2);
  });

  test("go with their own Application's exchanges, not with another's", async () => {
    await exchanges(1);
    world.advance(61);
    const other = await world.client();
    const theirs = { client: other, account: await world.connected(other, { live: true }) };
    expect(await exchange(theirs)).toBe(200);
    expect([await tokens(), await tokens(other)]).toEqual([1, 1]);
    await exchanges(1);
    expect([await tokens(), await tokens(other)]).toEqual([1, 1]);
  });

  test('that cannot be cleared away deny that exchange, which issues nothing; the next one is answered', async () => {
    await exchanges(1);
    world.advance(61);
    tidyingFails = true;
    expect(await exchange()).toBe(500);
    expect(await tokens()).toBe(1);
    await exchanges(1);
    tidyingFails = false;
    world.advance(61);
    await exchanges(1);
    expect(await tokens()).toBe(1);
  });
});
