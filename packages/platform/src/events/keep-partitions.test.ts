import { type ApplicationId, ManualClock, silentLog } from '@bulkhead/base';
import { runPastDoors, sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { BEGINNING } from './event-cursor.ts';
import { findEvents } from './event-store.ts';
import { appendEvent, keepPartitions } from './index.ts';

const HOUR = 3_600_000;
const longestRetentionHours = () => sql`(select max(retention_hours) from event_settings)`;
const retentionHours = (id: ApplicationId) => sql`(select retention_hours from event_settings where application_id = ${id})`;
let world: TenantWorld;
/** Begins in the past: partitions are dropped by this clock, but never ahead of the database's own. */
let clock: ManualClock;
beforeAll(async () => {
  world = await tenantWorld();
  clock = new ManualClock(Date.UTC(2025, 2, 10, 12));
});
afterAll(() => world[Symbol.asyncDispose]());

const db = () => world.database.database;
const keep = (at = clock) => keepPartitions({ db: db(), clock: at, log: silentLog, longestRetentionHours });
const partitions = async () => {
  const rows = await db().withSystem('list the partitions of a test', (tx) =>
    tx.query<{ name: string }>(sql`
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'events'::regclass order by 1`),
  );
  return rows.map(({ name }) => name);
};

async function application(hours = 24): Promise<ApplicationId> {
  const id = await world.application();
  await db().withTenant(id, async (tx) => {
    await tx.execute(sql`update applications set events_enabled = true where application_id = ${id}`);
    await tx.execute(sql`insert into event_settings (application_id, retention_hours) values (${id}, ${hours})`);
  });
  return id;
}

const append = (applicationId: ApplicationId, at = new Date(clock.now())) =>
  db().withTenant(applicationId, (tx) =>
    appendEvent(tx, { applicationId, type: 'account.deleted', accountId: 1, at, data: { service: 'gdrive' } }),
  );

const storedIn = async (id: ApplicationId) => {
  const rows = await db().tenantQuery<{ place: string }>(
    id,
    sql`select tableoid::regclass::text as place from events where application_id = ${id} order by seq`,
  );
  return rows.map(({ place }) => place);
};

/** How many a reader gets now, once nothing on the server holds him back. */
async function readable(id: ApplicationId, expected: number): Promise<void> {
  const range = { after: BEGINNING, from: null, until: null, retention: retentionHours(id) };
  const read = () =>
    db().withTenant(id, (tx) => findEvents(tx, { applicationId: id, accountId: null }, { ...range, now: new Date(clock.now()) }, 100));
  await expect.poll(async () => (await read()).length, { timeout: 60_000 }).toBe(expected);
}

describe('an event', () => {
  it('is taken where no partition was made for its day, and can be read', async () => {
    const id = await application();
    await append(id);
    expect(await storedIn(id)).toEqual(['events_default']);
    await readable(id, 1);
  });

  it('falls into the day on which it expires once that day has a partition', async () => {
    clock.advance(72 * HOUR);
    await keep();
    const id = await application();
    await append(id);
    expect(await storedIn(id)).toEqual(['events_2025_03_14']);
    await readable(id, 1);
  });

  it('cannot be read from the moment it expires, though its row is there', async () => {
    const id = await application(2);
    await append(id);
    clock.advance(2 * HOUR - 1);
    await readable(id, 1);
    clock.advance(1);
    await readable(id, 0);
    expect(await storedIn(id)).toHaveLength(1);
  });

  it('is hidden at once by a shorter retention; a longer one brings back what is not past', async () => {
    const id = await application(24);
    await append(id);
    clock.advance(3 * HOUR);
    const retain = (hours: number) =>
      db().withTenant(id, (tx) => tx.execute(sql`update event_settings set retention_hours = ${hours} where application_id = ${id}`));
    await readable(id, 1);
    await retain(2);
    await readable(id, 0);
    await retain(720);
    await readable(id, 1);
    clock.advance(21 * HOUR);
    await readable(id, 0);
    expect(await storedIn(id)).toHaveLength(1);
  });
});

describe('keeping the partitions', () => {
  it('makes as many days as the longest retention in use needs, once, whoever asks at the same time', async () => {
    const id = await application(240);
    await Promise.all([keep(), keep(), keep()]);
    await keep();
    const day = new Date(clock.now() + 240 * HOUR).toISOString().slice(0, 10).replaceAll('-', '_');
    expect((await partitions()).filter((name) => name === `events_${day}`)).toHaveLength(1);
    await append(id);
    expect(await storedIn(id)).toEqual([`events_${day}`]);
  });

  it('drops a day when nobody can read it any more, and deletes what is past in the default partition; the rest stays', async () => {
    const [brief, long] = [await application(24), await application(240)];
    await append(brief);
    await append(long);
    const stray = await application(24);
    await append(stray, new Date(clock.now() - 400 * 24 * HOUR));
    expect(await storedIn(stray)).toEqual(['events_default']);
    const [place = ''] = await storedIn(brief);
    expect(await partitions()).toContain(place);
    clock.advance(48 * HOUR);
    await keep();
    expect(await partitions()).not.toContain(place);
    expect([await storedIn(brief), await storedIn(stray)]).toEqual([[], []]);
    await readable(long, 1);
  });

  it('drops nothing because a clock runs ahead of the database', async () => {
    const before = await partitions();
    const today = `events_${new Date(Date.now() + 24 * HOUR).toISOString().slice(0, 10).replaceAll('-', '_')}`;
    expect(before).toContain(today);
    await keep(new ManualClock(Date.now() + 365 * 24 * HOUR));
    expect(await partitions()).toContain(today);
  });

  it('goes on without the partition of a day whose events lie in the default one', async () => {
    const id = await application(24);
    const later = clock.now() + 60 * 24 * HOUR;
    await append(id, new Date(later));
    const ahead = new ManualClock(later);
    await keep(ahead);
    const [taken, next] = [24, 48].map(
      (hours) => `events_${new Date(later + hours * HOUR).toISOString().slice(0, 10).replaceAll('-', '_')}`,
    );
    expect(await partitions()).not.toContain(taken);
    expect(await partitions()).toContain(next);
    await append(id, new Date(later));
    expect(await storedIn(id)).toEqual(['events_default', 'events_default']);
  });

  it('is done by the system role alone', async () => {
    const call = sql`select bulkhead_keep_event_partitions(now(), 2)`;
    const id = await application();
    await expect(db().withTenant(id, (tx) => tx.execute(call))).rejects.toThrow();
    await expect(db().withControl('a test', (tx) => tx.execute(call))).rejects.toThrow();
    await db().withSystem('control: a test', (tx) => tx.execute(call));
    for (const statement of [sql`drop table events_default`, sql`create table mine (a int)`, sql`select * from events_default`])
      await expect(db().withSystem('a test', (tx) => tx.execute(statement))).rejects.toThrow();
  });

  it('counts on from the highest position where the database was restored into a cluster that counts from the start', async () => {
    const id = await application();
    await append(id, new Date());
    const last = async () =>
      (await db().tenantQuery<{ position: number }>(id, sql`select max(position) as position from events where application_id = ${id}`))[0]!
        .position;
    const before = await last();
    // What a dump says in a cluster that has not come that far.
    const elsewhere = before + 1_000_000;
    await runPastDoors(world.database.ownerUrl, `set role bulkhead_owner; select setval('public.events_high', ${elsewhere})`);
    await append(id, new Date());
    expect(await last()).toBeLessThan(elsewhere);
    await keep(new ManualClock(Date.now()));
    await append(id, new Date());
    const after = await last();
    expect(after).toBeGreaterThan(elsewhere);
    await keep(new ManualClock(Date.now()));
    await append(id, new Date());
    expect(await last()).toBeLessThan(after + 1_000_000);
    const range = { after: BEGINNING, from: null, until: null, retention: sql`24`, now: new Date() };
    await expect
      .poll(async () => (await db().withTenant(id, (tx) => findEvents(tx, { applicationId: id, accountId: null }, range, 10))).length, {
        timeout: 60_000,
      })
      .toBe(4);
  });
});
