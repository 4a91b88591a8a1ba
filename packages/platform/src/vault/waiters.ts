/** Waits that a test can end at once: `after` calls back once and answers how to give up. */
export interface Timers {
  after(ms: number, callback: () => void): () => void;
}

export const systemTimers: Timers = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Callers that wait for news of one credential, by tenant and id. */
export class Waiters {
  readonly #byKey = new Map<string, Set<() => void>>();
  readonly #timers: Timers;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Begins to listen at once; `arrived` resolves with the first news or after `ms`, whichever comes first. */
  expect(key: string): { arrived: (ms: number) => Promise<void>; forget: () => void } {
    const news = Promise.withResolvers<void>();
    const waiting = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, waiting.add(news.resolve));
    const forget = (): void => {
      waiting.delete(news.resolve);
      if (waiting.size === 0 && this.#byKey.get(key) === waiting) this.#byKey.delete(key);
    };
    return {
      forget,
      arrived: async (ms) => {
        const cancel = this.#timers.after(ms, news.resolve);
        await news.promise;
        cancel();
        forget();
      },
    };
  }

  tell(key: string): void {
    for (const wake of this.#byKey.get(key) ?? []) wake();
  }

  /** News may have been missed: everybody reads again. */
  tellAll(): void {
    for (const waiting of this.#byKey.values()) for (const wake of waiting) wake();
  }
}
