import type { ApplicationId } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { countUnrotated, deleteUnusedVersions, hasDataKey, listUnrotated, lockNewestDataKey } from '../vault/index.ts';
import { keysErrors } from './keys-errors.ts';
import { type Resealed, resealSome } from './reseal.ts';
import type { ReportProgress, RotationParts } from './rotate-root-key.ts';
import { beginRotation, finishRotation, type Rotation } from './rotation-store.ts';
import { SEALED_COLUMNS } from './sealed-columns.ts';

const PAGE = 100;
const BATCH = 100;
/** How often what others sealed under the old version meanwhile is looked for again. */
const PASSES = 20;

export interface DataRotationResult {
  readonly applications: number;
  readonly resealed: number;
  /** `application: table.column row` of values that no key opens. Their key version stays. */
  readonly unreadable: readonly string[];
  /** Applications that keep an older version, because something is sealed under it that could not be sealed anew. */
  readonly unfinished: readonly ApplicationId[];
}

/**
 * Gives every Application (or one) a new data key, seals what is sealed under older ones anew, and deletes those, beside
 * running processes. What is done is written down at each step; after a kill the next call goes on from there. Throws
 * `keys.unknown_application`.
 */
export async function rotateDataKeys(
  parts: RotationParts,
  {
    applicationId = null,
    batch = BATCH,
    report = () => undefined,
  }: { applicationId?: ApplicationId | null; batch?: number; report?: ReportProgress } = {},
): Promise<DataRotationResult> {
  const { db } = parts;
  if (applicationId !== null && !(await exists(db, applicationId))) throw keysErrors('keys.unknown_application');
  const rotation = await db.withSystem('begin a rotation of data keys', (tx) =>
    beginRotation(tx, { kind: 'data', from: null, to: null, limitedTo: applicationId }),
  );
  const total = await db.withSystem('count the Applications of a rotation', (tx) => countUnrotated(tx, rotation.startedAt, applicationId));
  await report('begun', { done: 0, total });
  const unreadable: string[] = [];
  const unfinished: ApplicationId[] = [];
  let applications = 0;
  let resealed = 0;
  let after = '';
  for (;;) {
    const page = await db.withSystem('list the Applications of a rotation', (tx) =>
      listUnrotated(tx, { startedAt: rotation.startedAt, only: applicationId, after, limit: PAGE }),
    );
    if (page.length === 0) break;
    for (const each of page) {
      after = each;
      const done = await rotateOne(parts, rotation, each, batch, (step) => report(step, { done: applications, total }));
      applications += 1;
      resealed += done.resealed;
      unreadable.push(...done.unreadable.map((what) => `${each}: ${what}`));
      if (!done.finished) unfinished.push(each);
      await report('application', { done: applications, total });
    }
  }
  await db.withSystem('end a rotation of data keys', (tx) => finishRotation(tx, rotation));
  return { applications, resealed, unreadable, unfinished };
}

const exists = (db: Database, applicationId: ApplicationId) =>
  db.withSystem('look for an Application', (tx) => hasDataKey(tx, applicationId));

async function rotateOne(
  { db, vault }: RotationParts,
  rotation: Rotation,
  applicationId: ApplicationId,
  batch: number,
  report: (step: string) => void | Promise<void>,
): Promise<{ resealed: number; unreadable: readonly string[]; finished: boolean }> {
  const newest = await db.withSystem('give an Application a new data key', async (tx) => {
    const held = await lockNewestDataKey(tx, applicationId, rotation.startedAt);
    // Erased since it was listed.
    if (held === null) return null;
    if (held.isNew) return held.version;
    await vault.createDataKey(tx, applicationId);
    return held.version + 1;
  });
  if (newest === null) return { resealed: 0, unreadable: [], finished: true };
  await report('new version');
  let resealed = 0;
  let unreadable: readonly string[] = [];
  for (let pass = 1; pass <= PASSES; pass++) {
    const done = await resealAll({ db, vault }, applicationId, newest, batch, report);
    resealed += done.done;
    unreadable = done.unreadable;
    const left = await db.withSystem('delete data keys that nothing is sealed under', (tx) =>
      deleteUnusedVersions(tx, applicationId, SEALED_COLUMNS),
    );
    if (left === 0) return { resealed, unreadable, finished: true };
    // What is left is what cannot be opened; otherwise somebody sealed under the old version while we went through.
    if (done.unreadable.length > 0 && done.done === 0) break;
  }
  return { resealed, unreadable, finished: false };
}

async function resealAll(
  { db, vault }: RotationParts,
  applicationId: ApplicationId,
  newest: number,
  batch: number,
  report: (step: string) => void | Promise<void>,
): Promise<{ done: number; unreadable: readonly string[] }> {
  const unreadable: string[] = [];
  let done = 0;
  for (const column of SEALED_COLUMNS) {
    let after: Resealed['next'] = null;
    do {
      const some: Resealed = await db.withSystem('seal the secrets of an Application anew', (tx) =>
        resealSome(tx, vault, column, { applicationId, newest, after, limit: batch }),
      );
      done += some.done;
      unreadable.push(...some.unreadable);
      after = some.next;
      if (some.done > 0) await report(`${column.table}.${column.column}`);
    } while (after !== null);
  }
  return { done, unreadable };
}
