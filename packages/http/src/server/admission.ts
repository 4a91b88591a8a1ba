import type { Log } from '@bulkhead/base';
import { httpErrors } from './http-errors.ts';
import type { RateClass } from './route.ts';

/** How many requests of a class run at the same moment, and how many more may wait for a place. */
export interface Places {
  readonly running: number;
  readonly waiting: number;
}

export interface AdmissionOptions {
  readonly places?: Partial<Record<RateClass, Places>>;
  /** How long a request waits for a place before it is turned away, in milliseconds. */
  readonly waitMs?: number;
  /** How late the event loop is, in milliseconds; measured where absent. */
  readonly lagMs?: () => number;
  readonly log: Log;
}

export interface Admission {
  /** Resolves once there is a place, with how to give it back. Throws `server.overloaded` where there was none in time. */
  enter(rateClass: RateClass): Promise<() => void>;
  close(): void;
}

/**
 * Classes stand apart: a flood of calls that wait for a slow upstream takes no place from those that answer from here, and a long
 * stream takes none from either. Health checks are never turned away: an orchestrator that restarts what is busy makes it worse.
 */
const PLACES: Readonly<Record<Exclude<RateClass, 'health'>, Places>> = {
  api: { running: 128, waiting: 1_024 },
  meta: { running: 64, waiting: 512 },
  oauth: { running: 128, waiting: 1_024 },
  page: { running: 256, waiting: 1_024 },
  passthrough: { running: 1_024, waiting: 1_024 },
};
const WAIT_MS = 25;
/** With the event loop later than this, each class keeps to a quarter of its places until it has caught up. */
const LATE_MS = 100;
const LOOK_EVERY_MS = 10;

interface Waiter {
  readonly until: number;
  readonly admit: (leave: () => void) => void;
  readonly refuse: (error: Error) => void;
}

interface Gate {
  readonly places: Places;
  running: number;
  readonly waiting: Waiter[];
}

/**
 * Admission by class: what has a place runs, what finds none waits for up to 25 ms, what waits longer is answered 503 with
 * Retry-After. Work that is under way is finished at the speed of an unloaded server instead of everything at none; the wait
 * slows down callers who try again at once.
 */
export function admission(options: AdmissionOptions): Admission {
  const waitMs = options.waitMs ?? WAIT_MS;
  const gates = new Map<RateClass, Gate>(
    Object.entries({ ...PLACES, ...options.places }).map(([name, places]) => [name as RateClass, { places, running: 0, waiting: [] }]),
  );
  let lateBy = 0;
  let lookedAt = performance.now();
  let shed = 0;
  let toldAt = 0;

  const lag = options.lagMs ?? (() => lateBy);

  function isFull({ places, running }: Gate): boolean {
    return running >= (lag() > LATE_MS ? Math.max(1, places.running / 4) : places.running);
  }

  function take(gate: Gate): () => void {
    gate.running++;
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      gate.running--;
      admitNext(gate);
    };
  }

  function admitNext(gate: Gate): void {
    while (gate.waiting.length > 0 && !isFull(gate)) gate.waiting.shift()!.admit(take(gate));
  }

  function overloaded(): Error {
    shed++;
    return httpErrors('server.overloaded', { retryAfterSeconds: 1 });
  }

  function look(): void {
    const now = performance.now();
    lateBy = Math.max(0, now - lookedAt - LOOK_EVERY_MS);
    lookedAt = now;
    for (const gate of gates.values()) {
      admitNext(gate);
      while (gate.waiting.length > 0 && gate.waiting[0]!.until <= now) gate.waiting.shift()!.refuse(overloaded());
    }
    if (shed > 0 && now - toldAt >= 1_000) {
      options.log.warn('requests were turned away: more came than can be served', { count: shed });
      shed = 0;
      toldAt = now;
    }
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    async enter(rateClass) {
      const gate = gates.get(rateClass);
      if (gate === undefined) return () => undefined;
      if (!isFull(gate) && gate.waiting.length === 0) return take(gate);
      if (gate.waiting.length >= gate.places.waiting) throw overloaded();
      return new Promise((admit, refuse) => gate.waiting.push({ until: performance.now() + waitMs, admit, refuse }));
    },
    close: () => clearInterval(timer),
  };
}
