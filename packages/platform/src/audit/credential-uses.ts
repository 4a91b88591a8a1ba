import type { Clock, Log } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { Actor } from '../access/index.ts';
import { insertEntriesOfLiving, type OwnedEntry } from './entry-store.ts';
import { type AuditLogId, ledgerOf } from './ledger.ts';

/** A request that brought a credential of a known tenant or organization. */
export interface CredentialUse {
  readonly log: AuditLogId;
  readonly outcome: 'used' | 'refused';
  /** Whose credential it is; of a refused one only its kind is believed. */
  readonly actor: Actor;
  /** The first bytes of the hash of a token that has no id. */
  readonly token?: string;
  /** Id of the route. */
  readonly route: string;
  /** Where the request came from, as far as trusted proxies tell. */
  readonly address: string;
}

export interface CredentialUses {
  /** Counts a use. Costs no I/O; it is written with the others of its second. */
  record(use: CredentialUse): void;
  /** The same where one object stands for the credential from one request to the next: its count is found by it. */
  recordOf(credential: object, route: string, address: string, use: () => CredentialUse): void;
  /** Begins to write, once a second. */
  start(): void;
  /** Writes what is due: new uses at once, repetitions once a minute; with `all`, everything. */
  flush(options?: { readonly all?: boolean }): Promise<void>;
  /** Writes everything and stops. */
  close(): Promise<void>;
}

interface Counted {
  readonly use: CredentialUse;
  /** Not written yet. */
  count: number;
  first: number;
  last: number;
  /** When the minute began in which repetitions are summed up; the first use of it was written at once. */
  since: number;
  wasWritten: boolean;
  isForgotten: boolean;
}

const EVERY_MS = 1_000;
const MINUTE_MS = 60_000;
const ROWS_AT_ONCE = 500;
/** Routes and addresses that are found again by the object of a credential. */
const PLACES_OF_ONE_MAX = 16;
/** Distinct uses of one log that are told apart within a minute; what is beyond is counted together. */
const LIMITS = { used: { perLog: 2_000, all: 50_000 }, refused: { perLog: 50, all: 10_000 } } as const;

/**
 * Counts uses in memory by log, credential, route and address, and writes them as entries `credential.used` and `credential.refused`
 * with how many there were, the first and the last. Bounded: beyond its limits a log's uses are counted together, and refusals for
 * logs beyond all limits are counted in the process log only, for anybody can name a tenant.
 */
export function credentialUses({ db, clock, log: parentLog }: { db: Database; clock: Clock; log: Log }): CredentialUses {
  const log = parentLog.child({ slice: 'audit' });
  const counted = { used: new Map<string, Counted>(), refused: new Map<string, Counted>() };
  const perLog = { used: new Map<string, number>(), refused: new Map<string, number>() };
  const found = new WeakMap<object, Map<string, Counted>>();
  let uncounted = 0;
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();

  function count(place: Counted | null, now: number): void {
    if (place === null) {
      uncounted++;
      return;
    }
    if (place.count === 0) place.first = now;
    place.count++;
    place.last = now;
  }

  function placeFor(use: CredentialUse, now: number): Counted | null {
    const { log: of, outcome } = use;
    const map = counted[outcome];
    const owner = `${of.kind}|${of.id}`;
    const key = `${owner}|${use.actor.kind}|${use.actor.id ?? ''}|${use.actor.user ?? ''}|${use.token ?? ''}|${use.route}|${use.address}`;
    const known = map.get(key);
    if (known !== undefined) return known;
    const held = perLog[outcome].get(owner) ?? 0;
    if (held < LIMITS[outcome].perLog && map.size < LIMITS[outcome].all) return add(key, owner, use, now);
    const together = map.get(`${owner}|*`);
    if (together !== undefined) return together;
    // Of those that were let in there are no more logs than tenants; a refusal may name any.
    if (outcome === 'refused' && map.size >= 2 * LIMITS.refused.all) return null;
    return add(`${owner}|*`, owner, { log: of, outcome, actor: { kind: use.actor.kind }, route: '*', address: '*' }, now);
  }

  function add(key: string, owner: string, use: CredentialUse, now: number): Counted {
    const made: Counted = { use, count: 0, first: now, last: now, since: now, wasWritten: false, isForgotten: false };
    counted[use.outcome].set(key, made);
    perLog[use.outcome].set(owner, (perLog[use.outcome].get(owner) ?? 0) + 1);
    return made;
  }

  function forget(key: string, each: Counted): void {
    const { log: of, outcome } = each.use;
    each.isForgotten = true;
    const owner = `${of.kind}|${of.id}`;
    counted[outcome].delete(key);
    const left = perLog[outcome].get(owner)! - 1;
    if (left === 0) perLog[outcome].delete(owner);
    else perLog[outcome].set(owner, left);
  }

  /** Takes out what is due, and forgets what was not used for a minute. */
  function takeDue(all: boolean): { readonly entry: OwnedEntry; readonly from: Counted; readonly count: number; readonly first: number }[] {
    const now = clock.now();
    const due = [];
    for (const map of [counted.used, counted.refused]) {
      for (const [key, each] of map) {
        const isOver = now - each.since >= MINUTE_MS;
        if (each.count === 0) {
          if (isOver) forget(key, each);
        } else if (all || isOver || !each.wasWritten) {
          due.push({ entry: entryOf(each), from: each, count: each.count, first: each.first });
          each.count = 0;
          each.wasWritten = true;
          if (isOver) each.since = now;
        }
      }
    }
    return due;
  }

  async function write(all: boolean): Promise<void> {
    if (uncounted > 0) {
      log.warn('more refused credentials than could be counted by tenant', { count: uncounted });
      uncounted = 0;
    }
    const due = takeDue(all);
    for (const kind of ['application', 'organization'] as const) {
      const ofKind = due.filter(({ from }) => from.use.log.kind === kind);
      for (let at = 0; at < ofKind.length; at += ROWS_AT_ONCE) {
        const part = ofKind.slice(at, at + ROWS_AT_ONCE);
        try {
          await db.withSystem('record uses of credentials', (tx) =>
            insertEntriesOfLiving(
              tx,
              ledgerOf(kind),
              part.map(({ entry }) => entry),
            ),
          );
        } catch (error) {
          log.error('uses of credentials could not be recorded and will be tried again', { err: error, rows: part.length });
          for (const { from, count, first } of part) giveBack(from, count, first);
        }
      }
    }
  }

  function giveBack(to: Counted, count: number, first: number): void {
    to.count += count;
    to.first = first;
    to.wasWritten = false;
  }

  const flush = (options: { readonly all?: boolean } = {}): Promise<void> => (flushing = flushing.then(() => write(options.all ?? false)));

  return {
    record(use) {
      const now = clock.now();
      count(placeFor(use, now), now);
    },
    recordOf(credential, route, address, use) {
      const now = clock.now();
      let places = found.get(credential);
      if (places === undefined) found.set(credential, (places = new Map()));
      const key = `${route}|${address}`;
      let place = places.get(key) ?? null;
      if (place === null || place.isForgotten) {
        place = placeFor(use(), now);
        if (place !== null && places.size < PLACES_OF_ONE_MAX) places.set(key, place);
      }
      count(place, now);
    },
    start() {
      timer = setInterval(() => void flush(), EVERY_MS).unref();
    },
    flush,
    async close() {
      clearInterval(timer);
      await flush({ all: true });
    },
  };
}

function entryOf({ use, count, first, last }: Counted): OwnedEntry {
  return {
    owner: use.log.id,
    actor: use.actor,
    action: `credential.${use.outcome}`,
    at: new Date(last),
    target: use.route,
    detail: {
      count,
      first: new Date(first).toISOString(),
      last: new Date(last).toISOString(),
      address: use.address,
      ...(use.token === undefined ? {} : { token: use.token }),
    },
  };
}
