import { Turns } from '@bulkhead/base';

interface Waiter {
  readonly admit: () => void;
  /** It has given up. */
  isGone: boolean;
}

/**
 * Who may ask a pool for a connection, and the line of those who may not yet: in it parties take turns, so that a tenant whose many
 * queries fill the pool is not before another one again with each of them that ends.
 */
export class ConnectionLine {
  readonly #timeoutMs: number;
  readonly #waiting = new Turns<Waiter>();
  #free: number;

  constructor(size: number, timeoutMs: number) {
    this.#free = size;
    this.#timeoutMs = timeoutMs;
  }

  /** Null: at once. Else a promise of the party's turn; rejects as a pool does where that is not in time. */
  enter(party: string): Promise<void> | null {
    if (this.#free > 0) {
      this.#free--;
      return null;
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        admit: () => {
          clearTimeout(timer);
          resolve();
        },
        isGone: false,
      };
      const timer = setTimeout(() => {
        waiter.isGone = true;
        reject(new Error('timeout exceeded when trying to connect'));
      }, this.#timeoutMs);
      this.#waiting.push(party, waiter);
    });
  }

  /** A connection, or the right to one, is given back. */
  leave(): void {
    for (let next = this.#waiting.next(); next !== undefined; next = this.#waiting.next()) {
      if (next.isGone) continue;
      next.admit();
      return;
    }
    this.#free++;
  }
}
