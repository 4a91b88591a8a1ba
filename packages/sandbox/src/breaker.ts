/** Counts how often the instances of one identity had to be killed, and keeps it from starting more for a while. */
export class Breaker {
  readonly #killsMax: number;
  readonly #windowMs: number;
  readonly #openMs: number;
  readonly #kills = new Map<string, number[]>();

  constructor({ killsMax, windowMs, openMs }: { killsMax: number; windowMs: number; openMs: number }) {
    this.#killsMax = killsMax;
    this.#windowMs = windowMs;
    this.#openMs = openMs;
  }

  /** Notes a kill, at a time in milliseconds. */
  kill(key: string, now: number): void {
    const kills = (this.#kills.get(key) ?? []).filter((at) => at > now - this.#windowMs).slice(1 - this.#killsMax);
    // Last in the order of insertion, so that `sweep` finds the old ones first.
    this.#kills.delete(key);
    this.#kills.set(key, [...kills, now]);
  }

  /** Milliseconds until it may start again; 0: it may. */
  wait(key: string, now: number): number {
    const kills = this.#kills.get(key);
    if (kills === undefined || kills.length < this.#killsMax) return 0;
    return Math.max(0, kills.at(-1)! + this.#openMs - now);
  }

  /** Forgets what counts no more. */
  sweep(now: number): void {
    const kept = Math.max(this.#windowMs, this.#openMs);
    for (const [key, kills] of this.#kills) {
      if (kills.at(-1)! > now - kept) return;
      this.#kills.delete(key);
    }
  }
}
