import { access, constants, readdir, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { databaseErrors } from '../database-errors.ts';
import { accountName } from './accounts.ts';

const ELSEWHERE = 'set BULKHEAD_DATA_DIR to another folder';
/** What we leave in a folder before there is a cluster or a root key in it; and what a fresh volume or checkout brings along. */
const harmlessForm = /^(run|init-\w+|postgres-\d.*|root\.key\.\w+|lost\+found|\.DS_Store|\.gitignore|\.gitkeep)$/;
const ENTRIES_NAMED = 3;

/**
 * Refuses a folder that is not ours to use, with `database.not_started`, before anything in it is changed: one with
 * other things in it and nothing of Bulkhead's; as root, one of another account; as anybody, one we may not write to.
 * A folder that is not there yet or is empty is fine.
 */
export async function inspectFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(unlessMissing);
  if (found === null) return;
  if (process.getuid?.() === 0) await refuseOthers(folder, found.uid);
  const entries = await readdir(folder);
  const pgData = join(folder, 'pg');
  const hasCluster = entries.includes('pg') && (await stat(join(pgData, 'PG_VERSION')).catch(unlessMissing)) !== null;
  if (!hasCluster && !entries.includes('root.key')) refuseStrange(folder, entries);
  for (const path of hasCluster ? [folder, pgData] : [folder]) await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

/**
 * Root may do anything to the folder of an ordinary user, whose next start would then fail; and in a folder that another
 * account may write to, root would follow the links which that account puts there.
 * In a folder of root's the cluster may be owned by the user that PostgreSQL runs as, but never its passwords.
 */
async function refuseOthers(folder: string, folderOwner: number): Promise<void> {
  const passwords = folderOwner === 0 ? await stat(join(folder, 'pg', 'bulkhead-credentials.json')).catch(unlessMissing) : null;
  const uid = passwords?.uid ?? folderOwner;
  if (uid === 0) return;
  const owner = await accountName(uid);
  throw refusal(
    `the data folder ${folder} belongs to ${owner}, who could not use it any more once root has. Run the command as ${owner}, or ${ELSEWHERE}.`,
  );
}

function refuseStrange(folder: string, entries: readonly string[]): void {
  const strange = entries.filter((entry) => !harmlessForm.test(entry)).sort();
  if (strange.length === 0) return;
  const named = `${strange.slice(0, ENTRIES_NAMED).join(', ')}${strange.length > ENTRIES_NAMED ? ', …' : ''}`;
  throw refusal(
    `${folder} holds other things (${named}) and nothing of Bulkhead's. Set BULKHEAD_DATA_DIR to an empty folder, or to one that is not there yet.`,
  );
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

function refusal(problem: string, cause?: unknown) {
  return databaseErrors('database.not_started', { params: { problem }, cause });
}

/** What the system said about a path in the data folder, or above it, as `database.not_started` with what to do; any other error as it is. */
export async function explainFolderError(error: unknown, folder: string): Promise<unknown> {
  const { code, path } = error as NodeJS.ErrnoException;
  if (typeof path !== 'string' || !isOnTheWay(path, folder)) return error;
  if (code === 'EACCES' || code === 'EPERM') return refusal(await explainNoAccess(path, code), error);
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return refusal(`${path} is no folder, or lies in none. Set BULKHEAD_DATA_DIR to a folder.`, error);
  if (code === 'EROFS')
    return refusal(`${path} cannot be written: its file system is read-only. Make it writable, or ${ELSEWHERE}.`, error);
  return error;
}

function isOnTheWay(path: string, folder: string): boolean {
  return `${path}${sep}`.startsWith(`${folder}${sep}`) || `${folder}${sep}`.startsWith(`${path}${sep}`);
}

async function explainNoAccess(path: string, code: string): Promise<string> {
  const uid = process.getuid?.();
  const nearest = await nearestVisible(path);
  if (uid === undefined || nearest === null || nearest.uid === uid)
    return `the permissions of ${path} keep this process out (${code}). Change them, or ${ELSEWHERE}.`;
  const [us, owner] = [await accountName(uid), await accountName(nearest.uid)];
  return `${us} may not use ${path} (${code}): ${nearest.path} belongs to ${owner}. Run the command as ${owner}, or ${ELSEWHERE}.`;
}

/** The path itself, or the first folder above it that we can see. */
async function nearestVisible(path: string): Promise<{ readonly path: string; readonly uid: number } | null> {
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).catch(() => null);
    if (found !== null) return { path: at, uid: found.uid };
    if (at === dirname(at)) return null;
  }
}
