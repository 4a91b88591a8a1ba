import type { Log } from '@bulkhead/base';
import { Gate, type GateRules, type Places } from './gate.ts';
import { httpErrors } from './http-errors.ts';
import { OwnTime } from './own-time.ts';
import type { RateClass } from './route.ts';

export interface AdmissionOptions {
  readonly places?: Partial<Record<RateClass, Places>>;
  /** Of the places of a class, those that one party may hold at most: 0.25 is a quarter. */
  readonly share?: number;
  /** Who would have to wait for a place for longer than this, as fast as the line moves, is turned away at once; in milliseconds. */
  readonly waitMs?: number;
  /** Who has waited for longer than this is turned away, whatever was expected; in milliseconds. */
  readonly patienceMs?: number;
  readonly log: Log;
}

export interface Place {
  /**
   * Counts the place as one of the party's, once it is known whose request it is. Where the party holds its share of the class already,
   * the place is given back until one of its own has ended. Rejects with `server.too_many_at_once` where that is not in time.
   */
  belongTo(party: string): void | Promise<void>;
  /** Gives the place back, once however often it is called. */
  leave(): void;
}

export interface Admission {
  /**
   * A place at once, else a promise of one, rejected with `server.overloaded` where there was none in time. Throws it where there would
   * be none. `claimed` says who the request claims to come from: in a line, those take turns.
   */
  enter(rateClass: RateClass, claimed?: () => string): Place | Promise<Place>;
  close(): void;
}

/**
 * Classes stand apart: a flood of calls that wait for a slow upstream takes no place from those that answer from here, and a long
 * stream takes none from either. Health checks are never turned away: an orchestrator that restarts what is busy makes it worse.
 */
const PLACES: Readonly<Record<Exclude<RateClass, 'health'>, Places>> = {
  api: { running: 128, waiting: 4_096 },
  meta: { running: 64, waiting: 512 },
  oauth: { running: 128, waiting: 1_024 },
  page: { running: 256, waiting: 1_024 },
  passthrough: { running: 1_024, waiting: 1_024 },
  inbound: { running: 64, waiting: 512 },
  webtrigger: { running: 256, waiting: 512 },
};
const SHARE = 0.25;
const WAIT_MS = 500;
const PATIENCE_MS = 2_000;
const LOOK_EVERY_MS = 10;

const NOBODYS: Place = { belongTo: () => undefined, leave: () => undefined };

/**
 * Admission by class: what has a place runs, what finds none waits, and what would wait for too long is answered 503 with Retry-After
 * at once, while it costs next to nothing; who was let into a line is not turned away for others that come after. How long it would wait is told by how fast the line has moved; a line that has only begun
 * takes all that it has room for, since a burst is over soon. Time in which the machine gave this process no processor is nobody's
 * fault and not counted.
 *
 * Tenants stand apart too (T5): none holds more than its share of a class, however slow its requests are, and in a line they take turns.
 */
export function admission(options: AdmissionOptions): Admission {
  const { waitMs = WAIT_MS, patienceMs = PATIENCE_MS } = options;
  const time = new OwnTime(LOOK_EVERY_MS);
  // One for all: what is turned away in thousands must cost little.
  const overloaded = httpErrors('server.overloaded', { retryAfterSeconds: 1 });
  let shed = 0;
  let toldAt = 0;

  const rules: GateRules = {
    waitMs,
    patienceMs,
    now: () => time.now,
    refusal: () => {
      shed++;
      return overloaded;
    },
  };
  const ownRules: GateRules = {
    ...rules,
    refusal: ({ running }) => httpErrors('server.too_many_at_once', { params: { limit: running }, retryAfterSeconds: 1 }),
  };
  const classes = new Map<RateClass, ClassGate>(
    Object.entries({ ...PLACES, ...options.places }).map(([name, places]) => [
      name as RateClass,
      new ClassGate(new Gate(places, rules), () => new Gate(shareOf(places, options.share ?? SHARE), ownRules)),
    ]),
  );

  function look(): void {
    const all = [...classes.values()];
    time.look(all.some((gates) => gates.hasLine));
    for (const gates of all) gates.look();
    const now = performance.now();
    if (shed > 0 && now - toldAt >= 1_000) {
      options.log.warn('requests were turned away: more came than can be served', { count: shed });
      shed = 0;
      toldAt = now;
    }
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    enter: (rateClass, claimed) => classes.get(rateClass)?.enter(claimed) ?? NOBODYS,
    close: () => clearInterval(timer),
  };
}

function shareOf({ running, waiting }: Places, share: number): Places {
  return { running: Math.max(1, Math.floor(running * share)), waiting: Math.max(1, Math.floor(waiting * share)) };
}

/** The places of a class, and within them those of each party. */
class ClassGate {
  readonly all: Gate;
  readonly #makeOwn: () => Gate;
  readonly #owns = new Map<string, Gate>();

  constructor(all: Gate, makeOwn: () => Gate) {
    this.all = all;
    this.#makeOwn = makeOwn;
  }

  get hasLine(): boolean {
    if (this.all.hasLine) return true;
    for (const own of this.#owns.values()) if (own.hasLine) return true;
    return false;
  }

  enter(claimed?: () => string): Place | Promise<Place> {
    if (this.all.tryEnter()) return new TakenPlace(this, false);
    const party = claimed?.() ?? '';
    // Whoever would be turned away for its own too many once it is known whose it is, hears so before it stands in a line, not after.
    const own = this.#owns.get(party);
    if (own?.hasLine === true) own.refuseLate('', this.all.waitingOf(party));
    this.all.refuseLate(party);
    return this.all.wait(party).then(() => new TakenPlace(this, true));
  }

  ownOf(party: string): Gate {
    const known = this.#owns.get(party);
    if (known !== undefined) return known;
    const own = this.#makeOwn();
    this.#owns.set(party, own);
    return own;
  }

  /** A party without requests is forgotten. */
  leaveOwn(party: string, own: Gate): void {
    own.leave();
    if (own.isUnused) this.#owns.delete(party);
  }

  look(): void {
    this.all.look();
    for (const own of this.#owns.values()) own.look();
  }
}

class TakenPlace implements Place {
  readonly #gates: ClassGate;
  /** It has stood in a line. */
  readonly #hasWaited: boolean;
  #isIn = true;
  #own: Gate | null = null;
  #party = '';

  constructor(gates: ClassGate, hasWaited: boolean) {
    this.#gates = gates;
    this.#hasWaited = hasWaited;
  }

  belongTo(party: string): void | Promise<void> {
    const own = this.#gates.ownOf(party);
    if (!own.tryEnter()) return this.#await(party, own);
    this.#hold(party, own);
  }

  leave(): void {
    if (this.#isIn) this.#gates.all.leave();
    if (this.#own !== null) this.#gates.leaveOwn(this.#party, this.#own);
    this.#isIn = false;
    this.#own = null;
  }

  /** Others run while it waits for one of its party's. */
  async #await(party: string, own: Gate): Promise<void> {
    this.#gates.all.leave();
    this.#isIn = false;
    if (!this.#hasWaited) own.refuseLate('');
    await own.wait('');
    this.#hold(party, own);
    if (!this.#gates.all.tryEnter()) await this.#gates.all.wait(party);
    this.#isIn = true;
  }

  #hold(party: string, own: Gate): void {
    this.#party = party;
    this.#own = own;
  }
}
