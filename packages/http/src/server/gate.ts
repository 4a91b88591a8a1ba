import { type PlatformError, Turns } from '@bulkhead/base';
import { LineSpeed } from './line-speed.ts';

/** How many requests run at the same moment, and how many more may wait for a place. */
export interface Places {
  readonly running: number;
  readonly waiting: number;
}

export interface GateRules {
  /** Who would have to wait for longer than this, as fast as the line moves, is turned away at once; in milliseconds. */
  readonly waitMs: number;
  /** Who has waited for longer than this is turned away, whatever was expected; in milliseconds. */
  readonly patienceMs: number;
  /** As of the last look, in milliseconds. */
  readonly now: () => number;
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
  #speed: LineSpeed | null = null;
  /** How many may wait, as of the last look. */
  #room = 0;
  #running = 0;

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
    if (this.hasLine || this.#running >= this.#places.running) return false;
    this.#running++;
    return true;
  }

  /** Takes a place as soon as it is the party's turn. Throws the refusal where that would not be in time; rejects with it where it was not. */
  wait(party: string): Promise<void> {
    const { now, refusal } = this.#rules;
    const waiting = (this.#waiting ??= new Turns());
    if (waiting.size === 0) {
      this.#room = this.#places.waiting;
      (this.#speed ??= new LineSpeed()).begin(now());
    }
    if (waiting.size >= this.#room) {
      // Whoever has most in the line makes room for those who have less.
      const displaced = waiting.takeFromLonger(party);
      if (displaced === undefined) throw refusal(this.#places);
      displaced.refuse(refusal(this.#places));
    }
    return new Promise((admit, refuse) => waiting.push(party, { since: now(), admit, refuse }));
  }

  leave(): void {
    this.#running--;
    this.#admitNext();
  }

  look(): void {
    if (this.#waiting === null || this.#speed === null || this.#waiting.size === 0) return;
    const { now, waitMs, patienceMs, refusal } = this.#rules;
    const { waiting } = this.#places;
    // One at least, or a line that has stood still would never be seen to move again.
    if (waitMs < Infinity) this.#room = Math.min(waiting, Math.max(1, Math.floor(this.#speed.within(waitMs, now()))));
    const limit = now() - patienceMs;
    for (const { refuse } of this.#waiting.takeWhile(({ since }) => since < limit)) refuse(refusal(this.#places));
  }

  #admitNext(): void {
    while (this.#waiting !== null && this.#waiting.size > 0 && this.#running < this.#places.running) {
      this.#running++;
      this.#speed?.count();
      this.#waiting.next()?.admit();
    }
  }
}
