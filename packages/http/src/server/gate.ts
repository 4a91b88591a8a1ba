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
  readonly party: string;
  readonly since: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * Places, and a line before them in which parties take turns: who sends many waits behind its own, not before others. Whoever would
 * have to wait for too long is turned away at once; who was let into the line is not turned away from it for the sake of others.
 */
export class Gate {
  readonly #places: Places;
  readonly #rules: GateRules;
  /** Made when first somebody waits: a gate of one party lives as long as its requests, most of which never do. */
  #waiting: Turns<Waiter> | null = null;
  #speed: LineSpeed | null = null;
  /** Of each party that has somebody in the line. */
  #speeds: Map<string, LineSpeed> | null = null;
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

  /** How many of the party wait. */
  waitingOf(party: string): number {
    return this.#waiting?.lengthOf(party) ?? 0;
  }

  /** Takes a place if one is free and nobody waits for it. */
  tryEnter(): boolean {
    if (this.hasLine || this.#running >= this.#places.running) return false;
    this.#running++;
    return true;
  }

  /** Throws the refusal where one more of the party, behind so many that are on their way to the line, would have to wait for too long. */
  refuseLate(party: string, onTheWay = 0): void {
    if (!this.#isInTime(party, onTheWay)) throw this.#rules.refusal(this.#places);
  }

  /**
   * Takes a place as soon as it is the party's turn; rejects with the refusal where that takes too long. It asks nobody whether it will
   * ({@link refuseLate}): for who has been let into a line before this one there is no turning away at this one.
   */
  wait(party: string): Promise<void> {
    const now = this.#rules.now();
    const waiting = (this.#waiting ??= new Turns());
    if (waiting.size === 0) (this.#speed ??= new LineSpeed()).begin(now);
    if (waiting.lengthOf(party) === 0) this.#beginLineOf(party, now);
    return new Promise((admit, refuse) => waiting.push(party, { party, since: now, admit, refuse }));
  }

  leave(): void {
    this.#running--;
    this.#admitNext();
  }

  look(): void {
    if (this.#waiting === null || this.#waiting.size === 0) return;
    const { now, patienceMs, refusal } = this.#rules;
    const limit = now() - patienceMs;
    for (const { party, refuse } of this.#waiting.takeWhile(({ since }) => since < limit)) {
      this.#endLineOf(party);
      refuse(refusal(this.#places));
    }
  }

  #beginLineOf(party: string, now: number): void {
    const speed = new LineSpeed();
    speed.begin(now);
    (this.#speeds ??= new Map()).set(party, speed);
  }

  #endLineOf(party: string): void {
    if (this.waitingOf(party) === 0) this.#speeds?.delete(party);
  }

  #isInTime(party: string, onTheWay: number): boolean {
    const { waiting } = this.#places;
    const size = this.#waiting?.size ?? 0;
    if (size === 0) return onTheWay < waiting;
    const ahead = this.waitingOf(party) + onTheWay;
    const parties = this.#waiting!.parties + (this.waitingOf(party) === 0 ? 1 : 0);
    // A full line has room for whoever has less in it than a part that is like all others'.
    if (size >= waiting && (ahead >= waiting / parties || size >= 2 * waiting)) return false;
    return ahead < this.#servedInTime(party, parties, size - this.waitingOf(party));
  }

  /** How many of the party's requests leave the line within the longest wait. */
  #servedInTime(party: string, parties: number, others: number): number {
    const { now, waitMs } = this.#rules;
    if (waitMs === Infinity) return Infinity;
    const all = this.#speed!.within(waitMs, now());
    const own = this.#speeds?.get(party)?.within(waitMs, now()) ?? Infinity;
    // Taking turns gives it as much as any other at least; and before it is known how much more, what others have left.
    return Math.max(all / parties, own === Infinity ? all - others : own);
  }

  #admitNext(): void {
    while (this.#waiting !== null && this.#waiting.size > 0 && this.#running < this.#places.running) {
      const next = this.#waiting.next()!;
      this.#running++;
      this.#speed?.count();
      this.#speeds?.get(next.party)?.count();
      this.#endLineOf(next.party);
      next.admit();
    }
  }
}
