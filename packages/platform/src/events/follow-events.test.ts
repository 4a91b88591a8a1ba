import { type ApplicationId, silentLog } from '@bulkhead/base';
import { type Database, openDatabase, sql, type Sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import type { EventPosition } from './event.ts';
import { BEGINNING } from './event-cursor.ts';
import { findEvents, insertEvents } from './event-store.ts';

let world: TenantWorld;
let pools: Database[];
beforeAll(async () => {
  world = await tenantWorld();
  const options = { ...world.database.urls, log: silentLog, poolSize: 12 };
  // The second as behind a pooler in transaction mode: no prepared statements, each transaction spelled out.
  pools = [openDatabase(options), openDatabase({ ...options, preparedStatements: false })];
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  await world[Symbol.asyncDispose]();
});

async function application(): Promise<ApplicationId> {
  const id = await world.application();
  await world.database.database.withTenant(id, async (tx) => {
    await tx.execute(sql`update applications set events_enabled = true where application_id = ${id}`);
    await tx.execute(sql`insert into event_settings (application_id) values (${id})`);
  });
  return id;
}

/** A transaction that has appended an event and commits, or rolls back, when it is told to. */
async function begin(db: Database, id: ApplicationId, eventId: string): Promise<(end: 'commit' | 'rollback') => Promise<void>> {
  const written = Promise.withResolvers<undefined>();
  const told = Promise.withResolvers<'commit' | 'rollback'>();
  const ended = db
    .withTenant(id, async (tx) => {
      const event = { applicationId: id, eventId, type: 'account.broken', accountId: 7, at: world.now(), data: {} };
      await insertEvents(tx, [event]);
      written.resolve(undefined);
      if ((await told.promise) === 'rollback') throw new Error('rolled back');
    })
    .catch((error: unknown) => {
      written.reject(error);
      if (!(error instanceof Error && error.message === 'rolled back')) throw error;
    });
  await written.promise;
  return async (end) => {
    told.resolve(end);
    await ended;
  };
}

interface Follower {
  readonly seen: string[];
  next(): Promise<void>;
}

/** Reads on from where it stood, as the routes do. */
function follower(db: Database, id: ApplicationId, pageSize = 3): Follower {
  let after: EventPosition = BEGINNING;
  const seen: string[] = [];
  return {
    seen,
    async next() {
      const range = { after, from: null, until: null, now: world.now(), retention: sql`24` };
      const events = await db.withTenant(id, (tx) => findEvents(tx, { applicationId: id, accountId: null }, range, pageSize));
      after = events.at(-1) ?? after;
      seen.push(...events.map(({ eventId }) => eventId));
    },
  };
}

/** The control: goes by a number that is drawn when the event is written, and takes what it sees. */
function naiveFollower(db: Database, id: ApplicationId, order: Sql): Follower {
  let after = 0;
  const seen: string[] = [];
  return {
    seen,
    async next() {
      const rows = await db.tenantQuery<{ event_id: string; number: number }>(
        id,
        sql`select event_id, ${order} as number from events where application_id = ${id} and ${order} > ${after} order by ${order} limit 3`,
      );
      after = rows.at(-1)?.number ?? after;
      seen.push(...rows.map((row) => row.event_id));
    },
  };
}

/** Reads until everything is there. A transaction of another test on the same server may hold the horizon back. */
async function followTo(reader: Follower, count: number): Promise<void> {
  await expect
    .poll(
      async () => {
        await reader.next();
        return reader.seen.length;
      },
      { timeout: 60_000, interval: 20 },
    )
    .toBe(count);
}

describe.each([
  ['', 0],
  [' behind a pooler', 1],
])('a reader that follows the log%s', (_where, pool) => {
  const db = () => pools[pool]!;

  it('sees an event whose transaction began first and committed last', async () => {
    const id = await application();
    const slow = await begin(db(), id, 'slow');
    const quick = await begin(db(), id, 'quick');
    await quick('commit');
    const reader = follower(db(), id);
    const naive = [naiveFollower(db(), id, sql`seq`), naiveFollower(db(), id, sql`position`)];
    for (const one of [reader, ...naive]) await one.next();
    // Nothing yet: the slow one might come before it.
    expect(reader.seen).toEqual([]);
    await slow('commit');
    await followTo(reader, 2);
    expect(reader.seen).toEqual(['slow', 'quick']);
    // Control: who goes by the number alone has passed it by.
    for (const one of naive) {
      await one.next();
      expect(one.seen).toEqual(['quick']);
    }
  });

  it('waits for no transaction that rolls back', async () => {
    const id = await application();
    const undone = await begin(db(), id, 'undone');
    const kept = await begin(db(), id, 'kept');
    await kept('commit');
    await undone('rollback');
    const reader = follower(db(), id);
    await followTo(reader, 1);
    expect(reader.seen).toEqual(['kept']);
  });

  it('sees each event once, in one order, however transactions begin and end around it; the naive reader misses some', async () => {
    const id = await application();
    const [reader, other, naive] = [follower(db(), id), follower(db(), id, 1), naiveFollower(db(), id, sql`seq`)];
    // A schedule without luck: a fixed linear congruential generator.
    let state = 20_260_731;
    const draw = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >>> 12) % below;
    };
    // The pooler of the tests has three connections for all: two that stay open, one for who reads.
    const atOnce = world.database.urls.preparedStatements ? 8 : 2;
    const open: { eventId: string; end: (how: 'commit' | 'rollback') => Promise<void> }[] = [];
    const committed: string[] = [];
    for (let step = 0; step < 160; step++) {
      if (open.length < atOnce && (open.length === 0 || draw(2) === 0)) {
        const eventId = `e${step}`;
        open.push({ eventId, end: await begin(db(), id, eventId) });
      } else {
        const [{ eventId, end }] = open.splice(draw(open.length), 1) as [(typeof open)[number]];
        const how = draw(6) === 0 ? 'rollback' : 'commit';
        await end(how);
        if (how === 'commit') committed.push(eventId);
      }
      await Promise.all([reader.next(), naive.next(), ...(draw(3) === 0 ? [other.next()] : [])]);
    }
    for (const { eventId, end } of open) {
      await end('commit');
      committed.push(eventId);
    }
    await followTo(reader, committed.length);
    await followTo(other, committed.length);
    for (let turn = 0; turn < committed.length; turn++) await naive.next();
    expect(reader.seen.toSorted()).toEqual(committed.toSorted());
    expect(other.seen).toEqual(reader.seen);
    expect(naive.seen.length).toBeLessThan(committed.length);
  });

  it('misses nothing of writers that nobody orders', async () => {
    const id = await application();
    const reader = follower(db(), id, 7);
    let isWriting = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 25; n++) {
        const end = await begin(db(), id, `w${writer}-${n}`);
        await end('commit');
      }
    });
    const reading = (async () => {
      while (isWriting) await reader.next();
    })();
    await Promise.all(writers);
    isWriting = false;
    await reading;
    await followTo(reader, 200);
    expect(new Set(reader.seen).size).toBe(200);
  });
});
