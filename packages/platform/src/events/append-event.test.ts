import type { ApplicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { appendEvent, appendEvents, EVENTS_CHANNEL, type NewEvent } from './index.ts';

let world: TenantWorld;
beforeAll(async () => {
  world = await tenantWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const db = () => world.database.database;

async function application(settings: { enabled?: boolean; types?: string[] | null; hours?: number } = {}): Promise<ApplicationId> {
  const id = await world.application();
  await db().withTenant(id, async (tx) => {
    await tx.execute(sql`update applications set events_enabled = ${settings.enabled ?? true} where application_id = ${id}`);
    await tx.execute(sql`
      insert into event_settings (application_id, retention_hours, types) values (${id}, ${settings.hours ?? 24}, ${settings.types ?? null})`);
  });
  return id;
}

const broken = (applicationId: ApplicationId, reason = 'invalid_grant'): NewEvent => ({
  applicationId,
  type: 'account.broken',
  accountId: 7,
  at: world.now(),
  data: { service: 'gdrive', reason },
});

const append = (event: NewEvent, scope = event.applicationId) => db().withTenant(scope, (tx) => appendEvent(tx, event));
const typesOf = async (id: ApplicationId) =>
  (await db().tenantQuery<{ type: string }>(id, sql`select type from events where application_id = ${id} order by position, seq`)).map(
    ({ type }) => type,
  );

describe('an event', () => {
  it('is written with the change it tells of, and not without it', async () => {
    const id = await application();
    const undone = db().withTenant(id, async (tx) => {
      await appendEvent(tx, broken(id));
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    expect(await typesOf(id)).toEqual([]);
    await append(broken(id));
    expect(await typesOf(id)).toEqual(['account.broken']);
  });

  it.each([
    ['the Application keeps no events', { enabled: false }],
    ['the Application asks for other types', { types: ['account.connected'] }],
    ['the Application asks for none', { types: [] }],
  ])('is not written where %s', async (_why, settings) => {
    const id = await application(settings);
    await append(broken(id));
    expect(await typesOf(id)).toEqual([]);
  });

  it.each([
    ['every type', { types: null }],
    ['its type', { types: ['account.deleted', 'account.broken'] }],
  ])('control: it is written where the Application asks for %s', async (_what, settings) => {
    const id = await application(settings);
    await append(broken(id));
    expect(await typesOf(id)).toEqual(['account.broken']);
  });

  it('is not written afterwards, once it is asked for', async () => {
    const id = await application({ enabled: false });
    await append(broken(id));
    await db().withTenant(id, (tx) => tx.execute(sql`update applications set events_enabled = true where application_id = ${id}`));
    expect(await typesOf(id)).toEqual([]);
    await append(broken(id));
    expect(await typesOf(id)).toHaveLength(1);
  });

  it.each([
    ['a field that its type does not have', { data: { service: 'gdrive', reason: 'x', access_token: 'secret' } }],
    ['a field missing', { data: { service: 'gdrive' } }],
    ['data of another type', { data: { fields: [] } }],
  ])('is refused with %s', async (_what, wrong) => {
    const id = await application();
    await expect(append({ ...broken(id), ...wrong } as NewEvent)).rejects.toThrow();
    expect(await typesOf(id)).toEqual([]);
  });

  it('is refused by the database where its data is larger than 4 KiB', async () => {
    const id = await application();
    const insert = (length: number) =>
      db().withTenant(id, (tx) =>
        tx.execute(sql`
          insert into events (application_id, event_id, type, at, expires_at, data)
          values (${id}, ${`evt${length}`}, 'account.broken', now(), now(), ${JSON.stringify({ a: 'x'.repeat(length) })})`),
      );
    await expect(insert(4100)).rejects.toThrow();
    await insert(4000);
  });

  it('of one transaction keeps its place among the others', async () => {
    const id = await application();
    await db().withTenant(id, async (tx) => {
      await appendEvents(
        tx,
        (['account.connected', 'account.reconnected'] as const).map((type) => ({
          applicationId: id,
          type,
          accountId: 7,
          at: world.now(),
          data: { service: 'gdrive', end_user: null },
        })),
      );
      await appendEvent(tx, broken(id));
    });
    expect(await typesOf(id)).toEqual(['account.connected', 'account.reconnected', 'account.broken']);
  });

  it('wakes who waits once for a transaction, and nobody where none was written', async () => {
    const [kept, quiet] = [await application(), await application({ enabled: false })];
    let told = 0;
    const heard = Promise.withResolvers<undefined>();
    const listening = await db().listen(EVENTS_CHANNEL, (payload) => {
      if (payload === 'end') heard.resolve(undefined);
      else told += 1;
    });
    await append(broken(quiet));
    await db().withTenant(kept, async (tx) => {
      for (let n = 0; n < 20; n++) await appendEvent(tx, broken(kept));
    });
    await db().withTenant(kept, (tx) => tx.execute(sql`select pg_notify(${EVENTS_CHANNEL}, 'end')`));
    await heard.promise;
    expect(told).toBe(1);
    await listening.close();
  });
});

describe('T2: the event log', () => {
  it('takes nothing of another Application, and shows nothing of it', async () => {
    const [mine, theirs] = [await application(), await application()];
    await append(broken(theirs));
    await append(broken(theirs), mine).catch(() => undefined);
    expect(await typesOf(theirs)).toHaveLength(1);
    expect(await db().tenantQuery(mine, sql`select * from events`)).toEqual([]);
    await expect(
      db().withTenant(mine, (tx) =>
        tx.execute(sql`
          insert into events (application_id, event_id, type, at, expires_at, data) values (${theirs}, 'evtx', 'x', now(), now(), '{}')`),
      ),
    ).rejects.toThrow();
  });

  it.each([
    ['changed', sql`update events set type = 'x'`],
    ['removed', sql`delete from events`],
    ['read around its parent', sql`select * from events_default`],
    ['written around its parent', sql`insert into events_default select * from events`],
  ])('cannot be %s by who serves requests', async (_what, statement) => {
    const id = await application();
    await append(broken(id));
    await expect(db().withTenant(id, (tx) => tx.execute(statement))).rejects.toThrow();
    expect(await typesOf(id)).toEqual(['account.broken']);
  });

  it('shows no partition to any serving role', async () => {
    const open = await db().withSystem('look at the rights on partitions', (tx) =>
      tx.query<{ name: string }>(sql`
        select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
          cross join unnest(array['bulkhead_app', 'bulkhead_system', 'bulkhead_control']) as role
         where i.inhparent = 'events'::regclass and has_table_privilege(role, c.oid, 'select, insert, update, delete')`),
    );
    expect(open).toEqual([]);
  });
});
