import { randomBytes } from 'node:crypto';
import { claimKeys, EnvironmentKeys, hasRootKey } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase, World } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());
const claim = (...keys: [Uint8Array, ...Uint8Array[]]) => claimKeys(database.database, new EnvironmentKeys(keys), new Date());

describe('the root key of a database', () => {
  it('is one, though six processes with keys of their own start first at the same moment', async () => {
    const keys = Array.from({ length: 6 }, () => randomBytes(32));
    const refused = await Promise.all(keys.map((key) => claim(key)));
    expect(refused.filter((reason) => reason === null)).toHaveLength(1);
    // The winner and its like go on; the others are refused for ever.
    expect(await Promise.all(keys.map((key) => claim(key)))).toEqual(refused);
    expect(new Set(refused)).toEqual(new Set([null, 'another root key']));
  });

  it('is shared by processes that bring the same, also beside others of theirs', async () => {
    const key = randomBytes(32);
    expect(await hasRootKey(database.database)).toBe(false);
    expect(await Promise.all([claim(key), claim(key), claim(Buffer.from(key))])).toEqual([null, null, null]);
    expect(await hasRootKey(database.database)).toBe(true);
    expect(await claim(randomBytes(32), key)).toBe(null);
    expect(await claim(randomBytes(32), randomBytes(32))).toBe('another root key');
  });

  it('is refused where it did not wrap the data keys that are there', async () => {
    const key = randomBytes(32);
    await using world = await World.create({ keys: new EnvironmentKeys([key]) });
    await world.application();
    const { database: same } = world.database;
    await same.withSystem('test', (tx) => tx.execute(sql`delete from root_key_claims`));
    expect(await claimKeys(same, new EnvironmentKeys([randomBytes(32)]), new Date())).toBe('another root key');
    await same.withSystem('test', (tx) => tx.execute(sql`delete from root_key_claims`));
    expect(await claimKeys(same, new EnvironmentKeys([key]), new Date())).toBe(null);
  });
});
