import type { Log } from '@bulkhead/base';
import { httpErrors } from './http-errors.ts';
import { OwnTime } from './own-time.ts';
import type { RateClass } from './route.ts';

/** How many requests of a class run at the same moment, and how many more may wait for a place. */
export interface Places {
  readonly running: number;
  readonly waiting: number;
}

export interface AdmissionOptions {
  readonly places?: Partial<Record<RateClass, Places>>;
  /** How long a request waits for a place, where others have waited before it for `burstMs`, until it is turned away; in milliseconds. */
  readonly waitMs?: number;
  /** How long a line may stand until it counts as more than a burst, in milliseconds. */
  readonly burstMs?: number;
  /** How late the event loop is, in milliseconds; measured where absent. */
  readonly lagMs?: () => number;
  readonly log: Log;
}

export interface Admission {
  /**
   * A place at once, as how to give it back; else a promise of one, rejected with `server.overloaded` where there is none in time.
   */
  enter(rateClass: RateClass): (() => void) | Promise<() => void>;
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
const WAIT_MS = 30;
const BURST_MS = 1_000;
/** With the event loop later than this, each class keeps to a quarter of its places until it has caught up. */
const LATE_MS = 100;
const LOOK_EVERY_MS = 10;

interface Waiter {
  readonly since: number;
  readonly admit: (leave: () => void) => void;
  readonly refuse: (error: Error) => void;
}

const nobodyCounts = (): void => undefined;

/**
 * Admission by class: what has a place runs, what finds none waits, what waits too long is answered 503 with Retry-After. Work that is
 * under way is finished at the speed of an unloaded server instead of everything at none; the wait slows down callers who try again
 * at once. How long is too long depends on the line: a burst, which is over within a second, is served whole; in a line that has
 * stood for longer nobody waits more than 30 ms, since more come than can be served, and time in the line is lost to everybody.
 * Time in which the machine gave this process no processor is nobody's fault and not counted.
 */
export function admission(options: AdmissionOptions): Admission {
  const { waitMs = WAIT_MS, burstMs = BURST_MS } = options;
  const time = new OwnTime(LOOK_EVERY_MS);
  let shed = 0;
  let toldAt = 0;

  const lag = options.lagMs ?? (() => time.lateMs);

  class Gate {
    readonly #places: Places;
    readonly #waiting: Waiter[] = [];
    #running = 0;
    /** When nobody waited last. */
    #clearAt = 0;

    constructor(places: Places) {
      this.#places = places;
    }

    get hasLine(): boolean {
      return this.#waiting.length > 0;
    }

    enter(): (() => void) | Promise<() => void> {
      if (this.#waiting.length === 0 && !this.#isFull()) return this.#take();
      if (this.#waiting.length >= this.#places.waiting) return Promise.reject(overloaded());
      if (this.#waiting.length === 0) this.#clearAt = time.now;
      return new Promise((admit, refuse) => this.#waiting.push({ since: time.now, admit, refuse }));
    }

    look(): void {
      this.#admitNext();
      if (time.now - this.#clearAt < burstMs) return;
      const limit = time.now - waitMs;
      let late = 0;
      while (late < this.#waiting.length && this.#waiting[late]!.since <= limit) late++;
      for (const { refuse } of this.#waiting.splice(0, late)) refuse(overloaded());
    }

    #isFull(): boolean {
      const { running } = this.#places;
      return this.#running >= running || (lag() > LATE_MS && this.#running >= Math.max(1, running / 4));
    }

    #take(): () => void {
      this.#running++;
      let isLeft = false;
      return () => {
        if (isLeft) return;
        isLeft = true;
        this.#running--;
        if (this.#waiting.length > 0) this.#admitNext();
      };
    }

    #admitNext(): void {
      while (this.#waiting.length > 0 && !this.#isFull()) this.#waiting.shift()!.admit(this.#take());
    }
  }

  function overloaded(): Error {
    shed++;
    return httpErrors('server.overloaded', { retryAfterSeconds: 1 });
  }

  function look(): void {
    time.look([...gates.values()].some((gate) => gate.hasLine));
    for (const gate of gates.values()) gate.look();
    const now = performance.now();
    if (shed > 0 && now - toldAt >= 1_000) {
      options.log.warn('requests were turned away: more came than can be served', { count: shed });
      shed = 0;
      toldAt = now;
    }
  }

  const gates = new Map<RateClass, Gate>(
    Object.entries({ ...PLACES, ...options.places }).map(([name, places]) => [name as RateClass, new Gate(places)]),
  );
  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    enter: (rateClass) => gates.get(rateClass)?.enter() ?? nobodyCounts,
    close: () => clearInterval(timer),
  };
}
