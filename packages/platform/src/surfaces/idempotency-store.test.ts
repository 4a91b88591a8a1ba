import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetPastAnswers } from './idempotency-store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** The keys that the database still holds an answer of, whoever's. */
async function held(): Promise<string[]> {
  const rows = await world.platform.db.withSystem('test', (tx) =>
    tx.query<{ idempotency_key: string }>(sql`
      select idempotency_key from idempotency_keys union all select idempotency_key from organization_idempotency_keys order by 1`),
  );
  return rows.map((row) => row.idempotency_key);
}

describe('an answer kept for an Idempotency-Key', () => {
  test('leaves the database a day later, though its key never comes again', async () => {
    const { id, apiKey } = await world.application();
    expect((await world.meta('POST', `/applications/${id}/apikeys`, {}, { 'idempotency-key': 'of-an-organization' })).status).toBe(201);
    const account = { service: 'dropbox', account: 'ada', token: 'upstream-token' };
    const imported = await world.call('POST', '/v1/accounts', {
      headers: { authorization: `APIKey ${apiKey}`, 'idempotency-key': 'of-an-application' },
      body: account,
    });
    expect(imported.status, imported.text).toBe(201);
    world.clock.advance(DAY_MS - 1_000);
    await world.meta('POST', `/applications/${id}/apikeys`, {}, { 'idempotency-key': 'younger' });
    await forgetPastAnswers(world.platform.db, new Date(world.clock.now()));
    expect(await held()).toEqual(['of-an-application', 'of-an-organization', 'younger']);
    world.clock.advance(2_000);
    await world.platform.startWorker();
    expect(await held()).toEqual(['younger']);
  });
});
