import type { PlatformError } from '@bulkhead/base';
import { Turns } from './turns.ts';

/** How many requests run at the same moment, and how many more may wait for a place. */
export interface Places {
  readonly running: number;
  readonly waiting: number;
}

export interface GateRules {
  /** How long a request waits for a place, where others have waited before it for `burstMs`, until it is turned away; in milliseconds. */
  readonly waitMs: number;
  /** How long a line may stand until it counts as more than a burst, in milliseconds. */
  readonly burstMs: number;
  /** As of the last look, in milliseconds. */
  readonly now: () => number;
  /** Whether the process has too much to do: then a gate keeps to a quarter of its places. */
  readonly isLate: () => boolean;
  /** What who is turned away is told. */
  readonly refusal: (places: Places) => PlatformError;
}

interface Waiter {
  readonly since: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/** Places, and a line before them in which parties take turns: who sends many waits behind its own, not before others. */
export class Gate {
  readonly #places: Places;
  readonly #rules: GateRules;
  /** Made when first somebody waits: a gate of one party lives as long as its requests, most of which never do. */
  #waiting: Turns<Waiter> | null = null;
  #running = 0;
  /** When nobody waited last. */
  #clearAt = 0;

  constructor(places: Places, rules: GateRules) {
    this.#places = places;
    this.#rules = rules;
  }

  get hasLine(): boolean {
    return this.#waiting !== null && this.#waiting.size > 0;
  }

  get isUnused(): boolean {
    return this.#running === 0 && !this.hasLine;
  }

  /** Takes a place if one is free and nobody waits for it. */
  tryEnter(): boolean {
    if (this.hasLine || this.#isFull()) return false;
    this.#running++;
    return true;
  }

  /** Takes a place as soon as it is the party's turn. Rejects with the refusal where that is not in time. */
  wait(party: string): Promise<void> {
    const { now, refusal } = this.#rules;
    const waiting = (this.#waiting ??= new Turns());
    if (waiting.size >= this.#places.waiting) {
      // Whoever has most in the line makes room for those who have less.
      const displaced = waiting.takeFromLonger(party);
      if (displaced === undefined) return Promise.reject(refusal(this.#places));
      displaced.refuse(refusal(this.#places));
    }
    if (waiting.size === 0) this.#clearAt = now();
    return new Promise((admit, refuse) => waiting.push(party, { since: now(), admit, refuse }));
  }

  leave(): void {
    this.#running--;
    this.#admitNext();
  }

  look(): void {
    if (this.#waiting === null) return;
    this.#admitNext();
    const { now, burstMs, waitMs, refusal } = this.#rules;
    if (now() - this.#clearAt < burstMs) return;
    const limit = now() - waitMs;
    for (const { refuse } of this.#waiting.takeWhile(({ since }) => since <= limit)) refuse(refusal(this.#places));
  }

  #isFull(): boolean {
    const { running } = this.#places;
    return this.#running >= running || (this.#running >= Math.max(1, running / 4) && this.#rules.isLate());
  }

  #admitNext(): void {
    while (this.#waiting !== null && this.#waiting.size > 0 && !this.#isFull()) {
      this.#running++;
      this.#waiting.next()?.admit();
    }
  }
}
