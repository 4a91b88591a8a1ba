import { createHash } from 'node:crypto';
import type { Clock, Log } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import { sealMac } from './audit-mac.ts';
import { type AuditTrail, auditTrailOf } from './audit-trail.ts';
import { APPLICATION_LEDGER, type AuditLogId, type Ledger, ORGANIZATION_LEDGER } from './ledger.ts';
import {
  endOfRound,
  type Head,
  headsOf,
  insertSeals,
  moveSealedUntil,
  sealedUntil,
  takeSealing,
  type Unsealed,
  unsealedEntries,
} from './seal-store.ts';
import { microseconds } from './stored-entry.ts';

/** What stands before the first seal of a log. */
export const NO_SEAL: Head = { seq: 0, digest: Buffer.alloc(32) };

const ROUND_ENTRIES = 20_000;

/** A seal's digest: over the digest before it and the MACs of its entries. */
export function sealDigest(previous: Uint8Array, macs: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(macs).digest();
}

export interface NewHead extends Head {
  readonly log: AuditLogId;
}

/**
 * Seals, in order, every entry whose transaction has ended and before which none can come any more; answers the new ends of the
 * chains. Any number of processes may do it at once: one does, the others find nothing to do. Throws what the database throws.
 */
export async function sealAudit(db: Database, now: Date): Promise<NewHead[]> {
  const heads = new Map<string, NewHead>();
  if ((await db.withSystem('look for entries to seal', sealedUntil)) === null) return [];
  for (;;) {
    const round = await db.withSystem('seal the audit logs', (tx) => sealRound(tx, now));
    for (const head of round.heads) heads.set(`${head.log.kind}|${head.log.id}`, head);
    if (round.isLast) return [...heads.values()];
  }
}

async function sealRound(tx: Tx, now: Date): Promise<{ readonly heads: readonly NewHead[]; readonly isLast: boolean }> {
  const trail = await auditTrailOf(tx);
  const sealing = await takeSealing(tx);
  if (sealing === null) return { heads: [], isLast: true };
  const until = await endOfRound(tx, sealing.from, sealing.final, ROUND_ENTRIES);
  if (until === sealing.from) return { heads: [], isLast: true };
  const heads = [
    ...(await sealLedger(tx, trail, APPLICATION_LEDGER, { from: sealing.from, until, now })),
    ...(await sealLedger(tx, trail, ORGANIZATION_LEDGER, { from: sealing.from, until, now })),
  ];
  await moveSealedUntil(tx, until);
  return { heads, isLast: false };
}

async function sealLedger(
  tx: Tx,
  trail: AuditTrail,
  ledger: Ledger,
  { from, until, now }: { readonly from: number; readonly until: number; readonly now: Date },
): Promise<NewHead[]> {
  const found = await unsealedEntries(tx, ledger, from, until);
  if (found.length === 0) return [];
  const before = await headsOf(
    tx,
    ledger,
    found.map(({ owner }) => owner),
  );
  const seals = found.map((unsealed) => newSeal(trail, ledger, before.get(unsealed.owner) ?? NO_SEAL, { unsealed, until, now }));
  await insertSeals(tx, ledger, seals, { keyId: trail.keyId, sealedAt: now });
  return seals.map(({ owner, seq, digest }) => ({ log: { kind: ledger.kind, id: owner }, seq, digest }));
}

function newSeal(
  trail: AuditTrail,
  ledger: Ledger,
  before: Head,
  { unsealed, until, now }: { readonly unsealed: Unsealed; readonly until: number; readonly now: Date },
) {
  const content = {
    seq: before.seq + 1,
    until,
    entries: unsealed.entries,
    firstAuditId: unsealed.first,
    lastAuditId: unsealed.last,
    previous: before.digest,
    digest: sealDigest(before.digest, unsealed.macs),
  };
  const log = { kind: ledger.kind, id: unsealed.owner };
  const mac = sealMac(trail.keyOf(log, trail.keyId)!, trail.keyId, log, { ...content, sealedAt: microseconds(now) });
  return { ...content, owner: unsealed.owner, mac };
}

export interface AuditSealer {
  /** Begins to seal, about once a second. */
  start(): void;
  /** Seals what is there and stops. */
  close(): Promise<void>;
}

const EVERY_MS = 1_000;
const TELL_EVERY_MS = 60_000;
const TOLD_MAX = 100_000;

/**
 * Seals in the background and tells the log of the process, at `info`, where each chain ends: at most once a minute per chain, and
 * once more when closed. Kept elsewhere than the database, those lines show a log whose end was cut off.
 */
export function auditSealer({ db, clock, log: parentLog }: { db: Database; clock: Clock; log: Log }): AuditSealer {
  const log = parentLog.child({ slice: 'audit' });
  const untold = new Map<string, NewHead>();
  let toldAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  function tell(): void {
    for (const { log: of, seq, digest } of untold.values())
      log.info('audit log head', { [of.kind]: of.id, head: `${seq}:${digest.toString('hex')}` });
    untold.clear();
    toldAt = clock.now();
  }

  async function once(): Promise<void> {
    for (const head of await sealAudit(db, new Date(clock.now()))) untold.set(`${head.log.kind}|${head.log.id}`, head);
    if (untold.size > TOLD_MAX || clock.now() - toldAt >= TELL_EVERY_MS) tell();
  }

  function tick(): void {
    running ??= once()
      .catch((error: unknown) => log.error('the audit logs could not be sealed', { err: error }))
      .finally(() => (running = undefined));
  }

  return {
    start() {
      timer = setInterval(tick, EVERY_MS).unref();
      tick();
    },
    async close() {
      clearInterval(timer);
      await running;
      await once().catch((error: unknown) => log.error('the audit logs could not be sealed', { err: error }));
      tell();
    },
  };
}
