import { silentLog } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskWorker } from '../tasks/index.ts';
import { eraseApplicationTask } from './erase-application-task.ts';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

const count = (table: 'applications' | 'data_keys' | 'accounts' | 'tasks' | 'oauth_keys', id: string) =>
  world.platform.db.withSystem(
    'count rows in a test',
    async (tx) =>
      (await tx.one<{ held: number }>(sql`select count(*) as held from ${sql.identifier(table)} where application_id = ${id}`)).held,
  );

describe('a deleted Application', () => {
  it('is erased with its data key by the worker, and the organization keeps the fact', async () => {
    const doomed = await world.application({ name: 'Doomed', oauth_keys: [{ service: 'github', client_id: 'c', client_secret: 's' }] });
    const other = await world.application({ name: 'Other' });
    expect((await world.meta('DELETE', `/applications/${doomed.id}`)).status).toBe(204);
    expect((await world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${doomed.apiKey}` } })).status).toBe(401);
    expect(await count('data_keys', doomed.id)).toBe(1);
    world.clock.advance(1_000);
    const { db, vault } = world.platform;
    await taskWorker({ db, tasks: [eraseApplicationTask({ db, vault })], clock: world.clock, log: silentLog }).runDue();
    for (const table of ['applications', 'data_keys', 'accounts', 'tasks', 'oauth_keys'] as const)
      expect(await count(table, doomed.id)).toBe(0);
    expect(await count('data_keys', other.id)).toBe(1);
    expect((await world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${other.apiKey}` } })).status).toBe(200);
    const actions = await db.withControl('read the log in a test', (tx) =>
      tx.query<{ action: string }>(sql`select action from organization_audit_entries where target = ${doomed.id} order by at, action`),
    );
    expect(actions.map(({ action }) => action)).toEqual(['application.created', 'application.deleted', 'application.erased']);
  });
});
