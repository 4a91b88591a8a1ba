import { randomBytes } from 'node:crypto';
import { claimRootKey, hasRootKey } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase, World } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());
const claim = (key: Uint8Array) => claimRootKey(database.database, key, new Date());

describe('the root key of a database', () => {
  it('is one, though six processes with keys of their own start first at the same moment', async () => {
    const keys = Array.from({ length: 6 }, () => randomBytes(32));
    const won = await Promise.all(keys.map(claim));
    expect(won.filter(Boolean)).toHaveLength(1);
    // The winner and its like go on; the others are refused for ever.
    expect(await Promise.all(keys.map(claim))).toEqual(won);
  });

  it('is shared by processes that bring the same', async () => {
    const key = randomBytes(32);
    expect(await hasRootKey(database.database)).toBe(false);
    expect(await Promise.all([claim(key), claim(key), claim(Buffer.from(key))])).toEqual([true, true, true]);
    expect(await hasRootKey(database.database)).toBe(true);
  });

  it('is refused where it did not wrap the data keys that are there', async () => {
    await using world = await World.create();
    await world.application();
    await world.meta('POST', `/applications/${(await world.application()).id}/oauth_keys`, {
      service: 'gdrive',
      client_id: 'id',
      client_secret: 'secret',
    });
    const other = world.database.database;
    expect(await other.withSystem('test', (tx) => tx.query(sql`select 1 from data_keys limit 1`))).toHaveLength(1);
    expect(await claimRootKey(other, randomBytes(32), new Date())).toBe(false);
  });
});
