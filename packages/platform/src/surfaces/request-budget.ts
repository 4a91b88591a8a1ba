/** Below this many parties none is looked for that can be forgotten. */
const PARTIES_KEPT_MIN = 1_024;

/** What a party has left of its quota. */
export interface Left {
  readonly requests: number;
  /** Until the quota is whole again, in seconds. */
  readonly wholeInSeconds: number;
  /** Until the next request is let through, in seconds; 0 where this one is. */
  readonly waitSeconds: number;
}

/**
 * A token bucket per party, kept as the one moment at which it is full again (the generic cell rate algorithm). A full bucket is
 * forgotten, which changes nothing for anybody, so that what is kept is bounded by the parties that were seen within the last window.
 * Moments are milliseconds from any beginning; small ones, so that fractions are not lost.
 */
export class RequestBudget {
  /** Requests of the whole window. */
  readonly quota: number;
  readonly #windowMs: number;
  /** How long one request takes to be given back. */
  readonly #costMs: number;
  readonly #wholeAt = new Map<string, number>();
  #partiesMax = PARTIES_KEPT_MIN;

  constructor(perSecond: number, windowSeconds: number) {
    this.quota = Math.max(1, Math.floor(perSecond * windowSeconds));
    this.#windowMs = windowSeconds * 1_000;
    this.#costMs = this.#windowMs / this.quota;
  }

  /** How many parties are remembered. */
  get size(): number {
    return this.#wholeAt.size;
  }

  /** Takes one request out of the party's quota if there is one; with `spends` false only says whether there is. */
  take(party: string, now: number, spends = true): Left {
    const known = this.#wholeAt.get(party);
    const wholeAt = known === undefined ? now : this.#within(known, now);
    const next = wholeAt + this.#costMs;
    const waitMs = next - this.#windowMs - now;
    // A thousandth of a request is what adding up fractions may be wrong by.
    if (waitMs > this.#costMs / 1_000) {
      if (wholeAt !== known) this.#wholeAt.set(party, wholeAt);
      return { requests: 0, wholeInSeconds: Math.ceil((wholeAt - now) / 1_000), waitSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
    }
    if (spends) this.#set(party, next, now);
    return {
      requests: Math.floor(0.001 - waitMs / this.#costMs),
      wholeInSeconds: Math.ceil((next - now) / 1_000),
      waitSeconds: 0,
    };
  }

  /** Takes one request out of the party's quota, as far as there is one. */
  charge(party: string, now: number): void {
    const wholeAt = this.#within(this.#wholeAt.get(party) ?? now, now);
    this.#set(party, Math.min(wholeAt + this.#costMs, now + this.#windowMs), now);
  }

  /** A clock that was set back must not shut anybody out for longer than a window. */
  #within(wholeAt: number, now: number): number {
    return Math.min(Math.max(wholeAt, now), now + this.#windowMs);
  }

  #set(party: string, wholeAt: number, now: number): void {
    this.#wholeAt.set(party, wholeAt);
    if (this.#wholeAt.size <= this.#partiesMax) return;
    for (const [other, at] of this.#wholeAt) if (at <= now) this.#wholeAt.delete(other);
    // Twice as many as are in use: what a look costs is spread over as many newcomers.
    this.#partiesMax = Math.max(PARTIES_KEPT_MIN, 2 * this.#wholeAt.size);
  }
}
