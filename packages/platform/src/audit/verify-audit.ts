import { createHash } from 'node:crypto';
import { constantTimeEqual } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { entryMac, sealMac } from './audit-mac.ts';
import { type AuditTrail, auditTrailOf } from './audit-trail.ts';
import type { AuditLogId } from './ledger.ts';
import { NO_SEAL, sealDigest } from './seal-audit.ts';
import type { Head } from './seal-store.ts';
import { entriesInOrder, hasOwner, readSealedUntil, sealsInOrder, type StoredEntry, type StoredSeal } from './verify-store.ts';

/** What was found first that does not agree. */
export interface Finding {
  /** The entry at fault, where it is one. */
  readonly auditId?: string;
  /** For the operator. */
  readonly text: string;
}

export interface Verified {
  readonly log: AuditLogId;
  readonly finding: Finding | null;
  /** Where the chain ends: to be kept elsewhere, and given as `head` the next time. */
  readonly head: Head;
  readonly entries: number;
  /** Entries at the end that no seal closes over yet: normally those of the last second. */
  readonly unsealed: number;
}

export interface VerifyOptions {
  /** An end of the chain from earlier: what came before must still be there. */
  readonly head?: Head;
  /** Called now and then with the number of entries read. */
  readonly onProgress?: (entries: number) => void;
}

class Tampered extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.text);
    this.finding = finding;
  }
}

const PROGRESS_EVERY = 10_000;

/**
 * Reads a log from its first entry to its last, whatever its length in constant memory, and answers with the first thing that does
 * not agree: an entry or a seal that was changed, removed, moved, copied from elsewhere or made without the key; a chain that begins
 * late or ends before `head`. Entries of the last second or so are checked one by one, for no seal closes over them yet: of those,
 * one that is missing is not missed. Null where there is no such Application or organization.
 */
export async function verifyAuditLog(db: Database, log: AuditLogId, options: VerifyOptions = {}): Promise<Verified | null> {
  if (!(await db.withSystem('look for an audit log', (tx) => hasOwner(tx, log)))) return null;
  const trail = await auditTrailOf(db);
  const progress = { entries: 0, head: NO_SEAL, unsealed: 0 };
  try {
    await walk({ db, log, trail, options, progress, until: await readSealedUntil(db) });
    return { log, finding: null, ...progress };
  } catch (thrown) {
    if (!(thrown instanceof Tampered)) throw thrown;
    // It may have been erased under us, which is no tampering.
    if (!(await db.withSystem('look for an audit log', (tx) => hasOwner(tx, log)))) return null;
    return { log, finding: thrown.finding, ...progress };
  }
}

interface Walk {
  readonly db: Database;
  readonly log: AuditLogId;
  readonly trail: AuditTrail;
  readonly options: VerifyOptions;
  readonly progress: { entries: number; head: Head; unsealed: number };
  /** Everything below is sealed. */
  readonly until: number;
}

async function walk(walking: Walk): Promise<void> {
  const { db, log, options, progress, until } = walking;
  const entries = entriesInOrder(db, log);
  let next = await entries.next();
  for await (const seal of sealsInOrder(db, log, until)) {
    checkSeal(walking, seal);
    const macs = createHash('sha256');
    let [count, first, last] = [0, '', ''];
    while (!next.done && next.value.position < seal.until) {
      const entry = next.value;
      checkEntry(walking, entry);
      macs.update(entry.mac!);
      if (count++ === 0) first = entry.auditId;
      last = entry.auditId;
      next = await entries.next();
    }
    if (count !== seal.entries)
      throw new Tampered({
        auditId: seal.firstAuditId,
        text: `Seal ${seal.seq} closes over ${seal.entries} entries, from ${seal.firstAuditId} to ${seal.lastAuditId}; ${count} are there.`,
      });
    if (first !== seal.firstAuditId || last !== seal.lastAuditId || !sealDigest(seal.previous, macs.digest()).equals(seal.digest))
      throw new Tampered({
        auditId: seal.firstAuditId,
        text: `The entries from ${seal.firstAuditId} to ${seal.lastAuditId} are not those that seal ${seal.seq} closes over, or not in their order.`,
      });
    progress.head = { seq: seal.seq, digest: seal.digest };
    checkHead(options.head, progress.head);
  }
  await checkUnsealed(walking, entries, next);
  if (options.head !== undefined && options.head.seq > progress.head.seq)
    throw new Tampered({
      text: `The chain ends at seal ${progress.head.seq}; it had reached seal ${options.head.seq}. Its end was cut off, or an older database is in place.`,
    });
  // An Application's first entry is its creation; an organization may have done nothing yet.
  if (progress.entries === 0 && log.kind === 'application')
    throw new Tampered({ text: 'The log is empty. A log begins with its Application.' });
}

async function checkUnsealed(walking: Walk, entries: AsyncGenerator<StoredEntry>, from: IteratorResult<StoredEntry>): Promise<void> {
  for (let next = from; !next.done; next = await entries.next()) {
    checkEntry(walking, next.value);
    if (next.value.position < walking.until)
      throw new Tampered({
        auditId: next.value.auditId,
        text: `Entry ${next.value.auditId} stands where everything is sealed, and no seal closes over it: seals were removed, or it was put there later.`,
      });
    walking.progress.unsealed++;
  }
}

function checkSeal({ log, trail, progress }: Walk, seal: StoredSeal): void {
  if (seal.seq !== progress.head.seq + 1)
    throw new Tampered({ text: `After seal ${progress.head.seq} comes seal ${seal.seq}: what is between was removed.` });
  const key = trail.keyOf(log, seal.keyId);
  if (key === null || !constantTimeEqual(sealMac(key, seal.keyId, log, seal), seal.mac))
    throw new Tampered({ text: `Seal ${seal.seq} was changed, or was not made by this installation for this log.` });
  if (!seal.previous.equals(progress.head.digest))
    throw new Tampered({ text: `Seal ${seal.seq} does not follow on seal ${progress.head.seq}.` });
}

function checkEntry({ log, trail, options, progress }: Walk, entry: StoredEntry): void {
  const key = entry.keyId === null ? null : trail.keyOf(log, entry.keyId);
  if (key === null || entry.mac === null || !constantTimeEqual(entryMac(key, entry.keyId!, log, entry), entry.mac))
    throw new Tampered({
      auditId: entry.auditId,
      text: `Entry ${entry.auditId} was changed, or was not written by this installation into this log.`,
    });
  progress.entries++;
  if (progress.entries % PROGRESS_EVERY === 0) options.onProgress?.(progress.entries);
}

function checkHead(expected: Head | undefined, head: Head): void {
  if (expected?.seq === head.seq && !expected.digest.equals(head.digest))
    throw new Tampered({ text: `Seal ${head.seq} has another digest than the head that was given: the log was written anew.` });
}
