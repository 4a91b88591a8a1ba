import type { Clock, Log } from '@bulkhead/base';
import type { Database, Listening } from '@bulkhead/postgres';
import type { AnyTask } from './task.ts';
import { type BusyKind, type ClaimedTask, claimTasks, finishTask, postponeTask, TASKS_CHANNEL } from './task-store.ts';

export interface TaskWorkerOptions {
  readonly db: Database;
  readonly tasks: readonly AnyTask[];
  readonly clock: Clock;
  readonly log: Log;
  /** Tasks that run at the same moment in this process. Default 8. */
  readonly concurrency?: number;
  /** Of those, tasks of one kind of one Application. Default: a quarter. */
  readonly perKind?: number;
  /** How long one attempt may take before another worker may take it over. Default 60,000. */
  readonly leaseMs?: number;
  /** Attempts before a task is given up and removed. Default 12: about four hours. */
  readonly attemptsMax?: number;
  /** How often to look although nothing was notified (a lease that ran out, a `run_at` that came). Default 2,000. */
  readonly pollMs?: number;
}

export interface TaskWorker {
  /** Begins to claim. Resolves once it listens. */
  start(): Promise<void>;
  /** Claims no more and waits for what is running. */
  close(): Promise<void>;
  /** Runs whatever is due now until nothing is; answers how many attempts were made. For tests and one-shot processes. */
  runDue(): Promise<number>;
}

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 60 * 60_000;

/** 5 s, 10 s, 20 s … one hour. */
function backOffMs(attempts: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LAST_RETRY_MS);
}

export function taskWorker(options: TaskWorkerOptions): TaskWorker {
  const { db, clock } = options;
  const log = options.log.child({ slice: 'tasks' });
  const concurrency = options.concurrency ?? 8;
  const perKind = options.perKind ?? Math.max(1, Math.floor(concurrency / 4));
  const leaseMs = options.leaseMs ?? 60_000;
  const attemptsMax = options.attemptsMax ?? 12;
  const byName = new Map(options.tasks.map((task) => [task.name, task]));
  const names = [...byName.keys()];
  const running = new Set<Promise<void>>();
  const busy = new Map<string, BusyKind>();
  /** Whose turn was last. */
  let turn: ClaimedTask | null = null;
  let listening: Listening | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOpen = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  async function claim(limit: number): Promise<ClaimedTask[]> {
    const now = clock.now();
    const claimed = await db.withSystem('claim due tasks', (tx) =>
      claimTasks(tx, {
        names,
        now: new Date(now),
        leaseUntil: new Date(now + leaseMs),
        limit,
        perKind,
        busy: [...busy.values()],
        after: turn,
      }),
    );
    turn = claimed.at(-1) ?? turn;
    return claimed;
  }

  function count({ applicationId, name }: ClaimedTask, more: number): void {
    const kind = `${applicationId} ${name}`;
    const count = (busy.get(kind)?.running ?? 0) + more;
    if (count === 0) busy.delete(kind);
    else busy.set(kind, { applicationId, name, running: count });
  }

  async function run(task: ClaimedTask): Promise<void> {
    count(task, 1);
    try {
      await attempt(task);
    } finally {
      count(task, -1);
    }
  }

  async function attempt(task: ClaimedTask): Promise<void> {
    const isLastAttempt = task.attempts >= attemptsMax;
    const lease = new AbortController();
    const expiry = setTimeout(() => lease.abort(), leaseMs);
    try {
      const delay = await byName.get(task.name)!.run({
        applicationId: task.applicationId,
        payload: task.payload,
        attempt: task.attempts,
        isLastAttempt,
        now: new Date(clock.now()),
        signal: lease.signal,
      });
      await db.withTenant(task.applicationId, (tx) =>
        !delay ? finishTask(tx, task) : postponeTask(tx, task, { runAt: delay.runAgainAt, attempts: task.attempts - 1, error: null }),
      );
    } catch (thrown) {
      await giveBack(task, thrown, isLastAttempt);
    } finally {
      clearTimeout(expiry);
    }
  }

  async function giveBack(task: ClaimedTask, thrown: unknown, isLastAttempt: boolean): Promise<void> {
    const fields = { task: task.name, taskId: task.taskId, applicationId: task.applicationId, attempt: task.attempts };
    try {
      if (isLastAttempt) {
        log.error('a task was given up', { ...fields, err: thrown });
        await db.withTenant(task.applicationId, (tx) => finishTask(tx, task));
      } else {
        log.warn('a task failed and will be tried again', { ...fields, err: thrown });
        const runAt = new Date(clock.now() + backOffMs(task.attempts));
        await db.withTenant(task.applicationId, (tx) =>
          postponeTask(tx, task, { runAt, attempts: task.attempts, error: describe(thrown) }),
        );
      }
    } catch (failure) {
      // The lease gives the row back.
      log.error('a task could not be given back', { ...fields, err: failure });
    }
  }

  /** Fills the free places; called again whenever one becomes free or something may be due. */
  async function fill(): Promise<void> {
    do {
      lookAgain = false;
      const free = concurrency - running.size;
      if (!isOpen || free <= 0) return;
      const claimed = await claim(free);
      for (const task of claimed) {
        const ending = run(task).finally(() => {
          running.delete(ending);
          look();
        });
        running.add(ending);
      }
    } while (lookAgain);
  }

  function look(): void {
    if (!isOpen) return;
    lookAgain = true;
    looking ??= fill()
      .catch((error: unknown) => log.error('tasks could not be claimed', { err: error }))
      .finally(() => {
        looking = undefined;
        if (lookAgain) look();
      });
  }

  return {
    async start() {
      isOpen = true;
      listening = await db.listen(TASKS_CHANNEL, look, { onReconnect: look });
      timer = setInterval(look, options.pollMs ?? 2_000);
      look();
    },
    async close() {
      isOpen = false;
      clearInterval(timer);
      await listening?.close();
      await looking;
      await Promise.all(running);
    },
    async runDue() {
      let attempts = 0;
      for (;;) {
        const claimed = await claim(concurrency);
        if (claimed.length === 0) return attempts;
        attempts += claimed.length;
        await Promise.all(claimed.map(run));
      }
    },
  };
}

/** The kind of failure, without what it quotes: messages of others may hold secrets. */
function describe(thrown: unknown): string {
  if (thrown instanceof Error) return 'code' in thrown && typeof thrown.code === 'string' ? `${thrown.name} ${thrown.code}` : thrown.name;
  return 'not an error';
}
