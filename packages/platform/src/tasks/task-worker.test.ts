import { type ApplicationId, silentLog } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { type AnyTask, defineTask, enqueueTask, enqueueTasks, type TaskKind, taskWorker } from './index.ts';
import { claimTasks } from './task-store.ts';

const note: TaskKind<{ id: string }> = { name: 'test.note', schema: z.strictObject({ id: z.string() }) };
let world: TenantWorld;

beforeAll(async () => {
  world = await tenantWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

function worker(task: AnyTask, options: { attemptsMax?: number; concurrency?: number; perKind?: number; leaseMs?: number } = {}) {
  return taskWorker({ db: world.database.database, tasks: [task], clock: world.clock, log: silentLog, ...options });
}

async function enqueue(id: ApplicationId, name: string, runAt?: Date): Promise<void> {
  await world.database.database.withTenant(id, (tx) => enqueueTask(tx, id, note, { id: name }, runAt === undefined ? {} : { runAt }));
}

async function rows(id: ApplicationId) {
  return world.database.database.tenantQuery<{ attempts: number; last_error: string | null }>(
    id,
    sql`select attempts, last_error from tasks where application_id = ${id}`,
  );
}

describe('a task', () => {
  test('exists if and only if the change it belongs to commits', async () => {
    const id = await world.application();
    const failing = world.database.database.withTenant(id, async (tx) => {
      await enqueueTask(tx, id, note, { id: 'lost' });
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await rows(id)).toEqual([]);
    await enqueue(id, 'kept');
    expect(await rows(id)).toHaveLength(1);
    await worker(defineTask(note.name, note.schema, async () => undefined)).runDue();
  });

  test('whose payload has another form is refused before anything is written', async () => {
    const id = await world.application();
    const wrong = world.database.database.withTenant(id, (tx) => enqueueTask(tx, id, note, { id: 'x', secret: 'y' } as { id: string }));
    await expect(wrong).rejects.toThrow(/secret/);
    expect(await rows(id)).toEqual([]);
  });

  test('cannot be written into another Application', async () => {
    const [mine, theirs] = [await world.application(), await world.application()];
    await expect(world.database.database.withTenant(mine, (tx) => enqueueTask(tx, theirs, note, { id: 'x' }))).rejects.toThrow();
    expect(await rows(theirs)).toEqual([]);
  });

  test('runs once when two workers look at the same moment', async () => {
    const id = await world.application();
    const ran: string[] = [];
    const task = defineTask(note.name, note.schema, async ({ payload }) => {
      ran.push(payload.id);
    });
    for (let n = 0; n < 20; n++) await enqueue(id, String(n));
    const counts = await Promise.all([worker(task).runDue(), worker(task).runDue(), worker(task).runDue()]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(20);
    expect(new Set(ran).size).toBe(20);
    expect(await rows(id)).toEqual([]);
  });

  test('waits for its time', async () => {
    const id = await world.application();
    let ran = 0;
    const later = worker(defineTask(note.name, note.schema, async () => void ran++));
    await enqueue(id, 'later', new Date(world.clock.now() + 60_000));
    expect(await later.runDue()).toBe(0);
    world.clock.advance(60_000);
    expect(await later.runDue()).toBe(1);
    expect(ran).toBe(1);
  });

  test('that fails is tried again later, further apart each time, and its error keeps no text of others', async () => {
    const id = await world.application();
    const attempts: number[] = [];
    const failing = worker(
      defineTask(note.name, note.schema, async ({ attempt }) => {
        attempts.push(attempt);
        throw new Error('token is hunter2');
      }),
    );
    await enqueue(id, 'fails');
    expect(await failing.runDue()).toBe(1);
    expect(await failing.runDue()).toBe(0);
    expect(await rows(id)).toEqual([{ attempts: 1, last_error: 'Error' }]);
    world.clock.advance(5_000);
    expect(await failing.runDue()).toBe(1);
    world.clock.advance(5_000);
    expect(await failing.runDue()).toBe(0);
    world.clock.advance(5_000);
    expect(await failing.runDue()).toBe(1);
    expect(attempts).toEqual([1, 2, 3]);
    world.clock.advance(20_000);
    await worker(defineTask(note.name, note.schema, async () => undefined)).runDue();
  });

  test('is told of its last attempt and then given up', async () => {
    const id = await world.application();
    const lasts: boolean[] = [];
    const failing = worker(
      defineTask(note.name, note.schema, async ({ isLastAttempt }) => {
        lasts.push(isLastAttempt);
        throw new Error('no');
      }),
      { attemptsMax: 2 },
    );
    await enqueue(id, 'fails');
    await failing.runDue();
    world.clock.advance(5_000);
    await failing.runDue();
    expect(lasts).toEqual([false, true]);
    expect(await rows(id)).toEqual([]);
  });

  test('that asks to wait is run again at its time, and that is no failure', async () => {
    const id = await world.application();
    const attempts: number[] = [];
    const patient = worker(
      defineTask(note.name, note.schema, async ({ attempt, now }) => {
        attempts.push(attempt);
        return attempts.length < 3 ? { runAgainAt: new Date(now.getTime() + 1_000) } : undefined;
      }),
      { attemptsMax: 1 },
    );
    await enqueue(id, 'waits');
    for (let n = 0; n < 3; n++) {
      await patient.runDue();
      world.clock.advance(1_000);
    }
    expect(attempts).toEqual([1, 1, 1]);
    expect(await rows(id)).toEqual([]);
  });

  test('whose worker died is taken over when the lease ends, not before', async () => {
    const id = await world.application();
    const stuck = Promise.withResolvers<undefined>();
    const first = worker(
      defineTask(note.name, note.schema, () => stuck.promise),
      { leaseMs: 30_000 },
    );
    await enqueue(id, 'taken over');
    const dying = first.runDue();
    let ran = 0;
    const second = worker(
      defineTask(note.name, note.schema, async () => void ran++),
      { leaseMs: 30_000 },
    );
    await expect.poll(async () => (await rows(id))[0]?.attempts).toBe(1);
    expect(await second.runDue()).toBe(0);
    world.clock.advance(30_001);
    expect(await second.runDue()).toBe(1);
    expect(ran).toBe(1);
    stuck.resolve(undefined);
    await dying;
    expect(await rows(id)).toEqual([]);
  });

  test('a worker that comes back too late does not take the row from the one that has it', async () => {
    const id = await world.application();
    const slow = Promise.withResolvers<undefined>();
    const first = worker(
      defineTask(note.name, note.schema, () => slow.promise),
      { leaseMs: 30_000 },
    );
    await enqueue(id, 'fenced');
    const late = first.runDue();
    await expect.poll(async () => (await rows(id))[0]?.attempts).toBe(1);
    world.clock.advance(30_001);
    const held = Promise.withResolvers<undefined>();
    const second = worker(defineTask(note.name, note.schema, () => held.promise)).runDue();
    await expect.poll(async () => (await rows(id))[0]?.attempts).toBe(2);
    slow.resolve(undefined);
    await late;
    expect(await rows(id)).toHaveLength(1);
    held.resolve(undefined);
    await second;
    expect(await rows(id)).toEqual([]);
  });

  test('of a quiet Application is among the first although another has hundreds', async () => {
    const [noisy, quiet] = [await world.application(), await world.application()];
    for (let n = 0; n < 100; n++) await enqueue(noisy, String(n), new Date(1_000 + n));
    await enqueue(quiet, 'mine', new Date(5_000));
    const order: string[] = [];
    await worker(
      defineTask(note.name, note.schema, async ({ applicationId }) => {
        order.push(applicationId);
      }),
      { concurrency: 4 },
    ).runDue();
    expect(order.indexOf(quiet)).toBeLessThan(4);
    expect(order).toHaveLength(101);
  });

  test('of another kind, or of another Application, is taken at once although one kind of one has thousands', async () => {
    const [noisy, quiet] = [await world.application(), await world.application()];
    const db = world.database.database;
    await db.withTenant(noisy, (tx) =>
      tx.execute(sql`
        insert into tasks (application_id, task_id, name, payload, run_at)
        select ${noisy}, 'tsk' || lpad(n::text, 24, '0'), ${note.name}, '{"id":"one of many"}'::jsonb, ${new Date(0)} from generate_series(1, 3000) n`),
    );
    const erase = { name: 'test.erase', schema: note.schema };
    await db.withTenant(noisy, (tx) => enqueueTask(tx, noisy, erase, { id: 'late' }, { runAt: new Date(5_000) }));
    await enqueue(quiet, 'late', new Date(6_000));
    const claim = {
      names: [note.name, erase.name],
      now: world.now(),
      leaseUntil: new Date(world.clock.now() + 60_000),
      limit: 3,
      perKind: 3,
      busy: [],
      after: null,
    };
    const claimed = await db.withSystem('test', (tx) => claimTasks(tx, claim));
    expect(new Set(claimed.map(({ applicationId, name }) => `${applicationId} ${name}`))).toEqual(
      new Set([`${noisy} ${note.name}`, `${noisy} ${erase.name}`, `${quiet} ${note.name}`]),
    );
    await db.withSystem('test', (tx) => tx.execute(sql`delete from tasks where application_id = any(${[noisy, quiet]})`));
  });
});

describe('T5: a started worker whose tasks of one Application hang', () => {
  /** How many of them run, and whether another Application's task has run meanwhile. */
  async function beside(perKind: number, count: number) {
    const [noisy, quiet] = [await world.application(), await world.application()];
    const db = world.database.database;
    const hanging = Promise.withResolvers<void>();
    const begun: string[] = [];
    const running = worker(
      defineTask(note.name, note.schema, async ({ applicationId }) => {
        begun.push(applicationId);
        if (applicationId === noisy) await hanging.promise;
      }),
      { concurrency: 8, perKind },
    );
    await db.withTenant(noisy, (tx) =>
      enqueueTasks(
        tx,
        noisy,
        note,
        Array.from({ length: count }, (_, at) => ({ id: String(at) })),
      ),
    );
    await running.start();
    const began = (id: ApplicationId) => begun.filter((applicationId) => applicationId === id).length;
    await expect.poll(() => began(noisy), { timeout: 30_000 }).toBe(perKind);
    await enqueue(quiet, 'one alone');
    return {
      began: () => ({ noisy: began(noisy), quiet: began(quiet) }),
      end: async () => {
        hanging.resolve();
        await expect.poll(() => rows(noisy), { timeout: 30_000 }).toEqual([]);
        await running.close();
      },
    };
  }

  test('runs those of another beside them; they take a quarter of the places, and end all the same', async () => {
    const { began, end } = await beside(2, 12);
    await expect.poll(began, { timeout: 30_000 }).toEqual({ noisy: 2, quiet: 1 });
    await end();
    expect(began()).toEqual({ noisy: 12, quiet: 1 });
  });

  test('runs nothing else where they may take every place (the control)', async () => {
    const { began, end } = await beside(8, 12);
    // As long as it takes another worker, which has places, to find the task.
    const free = worker(defineTask(note.name, note.schema, async () => undefined));
    expect(await free.runDue()).toBeGreaterThan(0);
    expect(began()).toEqual({ noisy: 8, quiet: 0 });
    await end();
  });

  test('its ten thousand stand before no other, whichever it is: with one place, one of another comes second', async () => {
    const pair = [await world.application(), await world.application()] as const;
    for (const [noisy, quiet] of [pair, pair.toReversed() as unknown as typeof pair]) {
      const order: string[] = [];
      const isDone = Promise.withResolvers<void>();
      const running = worker(
        defineTask(note.name, note.schema, async ({ applicationId, payload }) => {
          order.push(payload.id);
          if (applicationId === quiet) await isDone.promise;
        }),
        { concurrency: 1 },
      );
      await world.database.database.withTenant(noisy, (tx) =>
        tx.execute(sql`
          insert into tasks (application_id, task_id, name, payload, run_at)
          select ${noisy}, 'tsk' || lpad(n::text, 24, '0'), ${note.name}, '{"id":"one of many"}'::jsonb, ${new Date(0)} from generate_series(1, 10000) n`),
      );
      await enqueue(quiet, 'one alone', new Date(1));
      await running.start();
      await expect.poll(() => order.includes('one alone'), { timeout: 30_000 }).toBe(true);
      expect(order.indexOf('one alone')).toBeLessThanOrEqual(1);
      await world.database.database.withSystem('test', (tx) => tx.execute(sql`delete from tasks where application_id = ${noisy}`));
      isDone.resolve();
      await running.close();
    }
  });
});

describe('a started worker', () => {
  test('is woken by the commit and leaves nothing running when closed', async () => {
    const id = await world.application();
    const ran = Promise.withResolvers<string>();
    const running = taskWorker({
      db: world.database.database,
      tasks: [defineTask(note.name, note.schema, async ({ payload }) => ran.resolve(payload.id))],
      clock: world.clock,
      log: silentLog,
      pollMs: 3_600_000,
    });
    await running.start();
    await enqueue(id, 'woken');
    expect(await ran.promise).toBe('woken');
    await running.close();
    expect(await rows(id)).toEqual([]);
    await enqueue(id, 'after');
    expect(await rows(id)).toEqual([{ attempts: 0, last_error: null }]);
  });

  test('leaves tasks it does not know to others', async () => {
    const id = await world.application();
    await enqueue(id, 'unknown to it');
    const other = defineTask('test.other', note.schema, async () => undefined);
    expect(await worker(other).runDue()).toBe(0);
    expect(await worker(defineTask(note.name, note.schema, async () => undefined)).runDue()).toBeGreaterThan(0);
  });
});
