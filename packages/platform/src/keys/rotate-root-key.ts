import { PlatformError } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { resealAuditKeys } from '../audit/index.ts';
import { resealVariables } from '../functions/index.ts';
import { resealInstallKeys } from '../installs/index.ts';
import { resealControlAnswers } from '../surfaces/index.ts';
import {
  controlHeader,
  countDataKeysOfOthers,
  type DataKeyCursor,
  endRootKey,
  findClaim,
  lockDataKeysOfOthers,
  replaceWrapping,
  type RetiredKey,
  switchRootKey,
  type Vault,
} from '../vault/index.ts';
import { keysErrors } from './keys-errors.ts';
import { beginRotation, finishRotation, listRotationsUnderWay, type Rotation } from './rotation-store.ts';

const BATCH = 200;

/** Where a rotation is. Awaited, so that a test can end the process at each of them. */
export type ReportProgress = (step: string, progress: { readonly done: number; readonly total: number }) => void | Promise<void>;

export interface RotationParts {
  readonly db: Database;
  readonly vault: Vault;
}

export interface RootRotationResult {
  readonly from: string;
  readonly to: string;
  readonly rewrapped: number;
  /** Ids of Applications with a data key that no key at hand opens. Where there is one, the rotation stays under way. */
  readonly unreadable: readonly string[];
  /** Null where the rotation stays under way. */
  readonly retired: RetiredKey | null;
  /** Deleted Applications that older dumps open no more, now that the old root key is gone. */
  readonly completedDeletions: number;
}

/**
 * Puts a new root key into the place of the old one, beside running processes: make or find it, wrap what is new by it, wrap
 * the rest anew, then retire the old one. What is done is written down at each step; after a kill the next call goes on from there.
 * Throws `keys.no_new_root_key`, `keys.rotation_key_missing`.
 */
export async function rotateRootKey(
  { db, vault }: RotationParts,
  { keepOld = false, batch = BATCH, report = () => undefined }: { keepOld?: boolean; batch?: number; report?: ReportProgress } = {},
): Promise<RootRotationResult> {
  const { rotation, from, to } = await begin({ db, vault });
  const total = await db.withSystem('count the data keys of a rotation', (tx) => countDataKeysOfOthers(tx, to));
  await report('begun', { done: 0, total });
  await db.withSystem('wrap by the new root key from now on', (tx) => switchRootKey(tx, from, to));
  await report('switched', { done: 0, total });
  const { rewrapped, unreadable } = await rewrapAll({ db, vault }, { to, batch, total, report });
  for (;;) {
    const seen = await db.withSystem('seal answers of the control plane anew', (tx) => resealControlAnswers(tx, vault, to, batch));
    if (seen === 0) break;
    await report('answers', { done: rewrapped, total });
  }
  while ((await db.withSystem('seal variables of functions anew', (tx) => resealVariables(tx, vault, to, batch))) > 0);
  await db.withSystem('seal the audit keys anew', (tx) => resealAuditKeys(tx, vault, controlHeader(to)));
  await db.withSystem('seal the install keys anew', (tx) => resealInstallKeys(tx, vault, to));
  const left = await db.withSystem('look for what the old root key still wraps', (tx) => countDataKeysOfOthers(tx, to));
  if (left > 0) return { from, to, rewrapped, unreadable, retired: null, completedDeletions: 0 };
  await report('retiring', { done: rewrapped, total });
  const retired = await vault.keys.retire(from, to, { keepOld });
  await report('retired', { done: rewrapped, total });
  const completedDeletions = await db.withSystem('end a rotation of the root key', async (tx) => {
    await finishRotation(tx, rotation);
    return endRootKey(tx, from, { destroyed: retired !== 'kept' });
  });
  return { from, to, rewrapped, unreadable, retired, completedDeletions };
}

async function begin({ db, vault }: RotationParts): Promise<{ rotation: Rotation; from: string; to: string }> {
  const { claim, known } = await db.withSystem('look for a rotation under way', async (tx) => ({
    claim: await findClaim(tx),
    known: (await listRotationsUnderWay(tx, 'root'))[0] ?? null,
  }));
  if (claim === null) throw keysErrors('keys.no_new_root_key', { detail: 'the database was never claimed' });
  let rotation = known;
  if (rotation === null) {
    // Kept safely before anybody hears of it.
    const to = await vault.keys.nextRootKey(claim.current);
    if (to === null) throw keysErrors('keys.no_new_root_key');
    rotation = await db.withSystem('begin a rotation of the root key', (tx) =>
      beginRotation(tx, { kind: 'root', from: claim.current, to, limitedTo: null }),
    );
  }
  const { from, to } = rotation;
  const held = await vault.keys.rootKeyIds();
  // The old one may be retired already, where a kill came right after.
  if (from === null || to === null || !held.includes(to)) throw keysErrors('keys.rotation_key_missing');
  return { rotation, from, to };
}

async function rewrapAll(
  { db, vault }: RotationParts,
  { to, batch, total, report }: { to: string; batch: number; total: number; report: ReportProgress },
): Promise<{ rewrapped: number; unreadable: string[] }> {
  const unreadable = new Set<string>();
  let rewrapped = 0;
  let after: DataKeyCursor | null = null;
  for (;;) {
    const page: { seen: number; done: number; last: DataKeyCursor | null } = await db.withSystem('wrap data keys anew', async (tx) => {
      const rows = await lockDataKeysOfOthers(tx, to, after, batch);
      let done = 0;
      for (const row of rows) {
        try {
          // A deleted Application gets no key of its own any more.
          const wrapped = row.is_deleted ? await vault.rewrapOuter(row, to) : await vault.rewrapDataKey(row, to);
          const wasAlone = row.application_key_id === null && wrapped.application_key_id !== null;
          const aloneUnder = wasAlone ? [...new Set([...row.alone_under, row.root_key_id])].sort() : row.alone_under;
          if (await replaceWrapping(tx, row, wrapped, aloneUnder)) done += 1;
        } catch (thrown) {
          if (!(thrown instanceof PlatformError) || thrown.code !== 'vault.unreadable') throw thrown;
          unreadable.add(row.application_id);
        }
      }
      const last = rows.at(-1);
      return { seen: rows.length, done, last: last === undefined ? null : { applicationId: last.application_id, version: last.version } };
    });
    rewrapped += page.done;
    if (page.last === null) return { rewrapped, unreadable: [...unreadable] };
    after = page.last;
    await report('rewrapped', { done: rewrapped, total });
  }
}
