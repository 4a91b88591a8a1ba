import type { Clock } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';

/** Whoever asked within this time is a balancer that will ask again. */
const WATCHED_MS = 60_000;

/** Whether this process takes callers: what `/readyz` says. */
export class Readiness {
  readonly #db: Database;
  readonly #clock: Clock;
  #askedAt: number | null = null;
  #isLeaving = false;

  constructor({ db, clock }: { readonly db: Database; readonly clock: Clock }) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Throws `database.unavailable`, or `server.leaving` once the process is on its way out. */
  async check(): Promise<void> {
    this.#askedAt = this.#clock.now();
    if (this.#isLeaving) throw httpErrors('server.leaving', { retryAfterSeconds: 1 });
    await this.#db.ping();
  }

  /** From now on not ready. True where somebody watches, and so has to be given time to see it. */
  leave(): boolean {
    this.#isLeaving = true;
    return this.#askedAt !== null && this.#clock.now() - this.#askedAt < WATCHED_MS;
  }
}
