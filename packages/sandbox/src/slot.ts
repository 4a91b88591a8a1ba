import type { Limits } from './contract.ts';
import type { Instance } from './instance.ts';
import { Places } from './places.ts';

interface Line {
  starting: Promise<Instance> | null;
  instance: Instance | null;
}

/** What the calls of one identity and version share: their places, and an instance for each set of limits. */
export class Slot {
  readonly places: Places;
  readonly #lines = new Map<string, Line>();
  readonly #onEmpty: () => void;
  #users = 0;

  /** `onEmpty`: nobody uses it and nothing runs, which may be so more than once. */
  constructor({ inFlightMax, waitingMax }: Limits, onEmpty: () => void) {
    this.places = new Places(inFlightMax, waitingMax);
    this.#onEmpty = onEmpty;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      this.#look();
    }
  }

  /**
   * The instance that is there for calls of such limits; `start` makes it where there is none, once for all who wait. Who may use more of
   * anything runs apart, so no call pays for the limits of another.
   */
  async instanceFor({ cpuMs, wallMs, heapMb }: Limits, start: (onEnd: (ended: Instance) => void) => Promise<Instance>): Promise<Instance> {
    const key = JSON.stringify([cpuMs, wallMs, heapMb]);
    const line = this.#lines.get(key) ?? { starting: null, instance: null };
    this.#lines.set(key, line);
    if (line.instance !== null) return line.instance;
    const forget = (): void => {
      if (line.starting === null && line.instance === null) this.#lines.delete(key);
      this.#look();
    };
    line.starting ??= start((ended) => {
      if (line.instance === ended) line.instance = null;
      forget();
    })
      .then((started) => {
        // It may have ended at once.
        if (started.state === 'warm') line.instance = started;
        return started;
      })
      .finally(() => {
        line.starting = null;
        forget();
      });
    return line.starting;
  }

  #look(): void {
    if (this.#users === 0 && this.#lines.size === 0) this.#onEmpty();
  }
}
