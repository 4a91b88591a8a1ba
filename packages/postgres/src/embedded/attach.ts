import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Log, Secret } from '@bulkhead/base';
import { connect } from '../connection.ts';
import { databaseErrors, sqlState } from '../database-errors.ts';
import { explainFolderError } from './data-folder.ts';
import type { EmbeddedPostgres } from './embedded-postgres.ts';

export type EmbeddedUrls = Pick<EmbeddedPostgres, 'ownerUrl' | 'appUrl' | 'controlUrl' | 'systemUrl'>;

const STARTING_LIMIT_MS = 30_000;
/** The server is starting up, recovering, or shutting down. */
const NOT_YET = '57P03';

/** Whether a cluster was ever made in this data folder. */
export async function hasEmbeddedCluster(dataDir: string): Promise<boolean> {
  try {
    await stat(join(resolve(dataDir), 'pg', 'PG_VERSION'));
    return true;
  } catch (error) {
    // What we may not look into is there; who opens it will say so.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/**
 * The URLs of the embedded PostgreSQL that another process runs on `dataDir`, found by its lock file and the stored
 * passwords; null where none runs there. For commands beside a running server: nothing is started, nothing is stopped.
 * Throws `database.not_started` where the folder may not be read or its server does not come up.
 */
export async function attachEmbeddedPostgres({
  dataDir,
  log,
}: {
  readonly dataDir: string;
  readonly log: Log;
}): Promise<EmbeddedUrls | null> {
  const folder = resolve(dataDir);
  const lock = await read(folder, 'postmaster.pid');
  const stored = await read(folder, 'bulkhead-credentials.json');
  if (lock === null || stored === null) return null;
  const socketFolder = lock.split('\n')[4]?.trim() ?? '';
  if (socketFolder === '') return null;
  const passwords = JSON.parse(stored) as Readonly<Record<string, string>>;
  const url = (login: string) => {
    const password = encodeURIComponent(passwords[login] ?? '');
    return new Secret(`postgresql://${login}:${password}@/bulkhead?host=${encodeURIComponent(socketFolder)}`);
  };
  const urls = {
    ownerUrl: url('bulkhead_owner'),
    appUrl: url('bulkhead_app'),
    controlUrl: url('bulkhead_control'),
    systemUrl: url('bulkhead_system'),
  };
  if (!(await takesConnections(urls.controlUrl))) return null;
  log.debug('A PostgreSQL runs on the data folder already', { socketFolder });
  return urls;
}

async function read(folder: string, name: string): Promise<string | null> {
  try {
    return await readFile(join(folder, 'pg', name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw await explainFolderError(error, folder);
  }
}

async function takesConnections(url: Secret): Promise<boolean> {
  const limit = performance.now() + STARTING_LIMIT_MS;
  for (;;) {
    try {
      await (await connect(url, 'bulkhead-attach')).end();
      return true;
    } catch (error) {
      const state = sqlState(error);
      // No socket, or nobody behind it: what is left of a server that was killed.
      if (state === undefined) return false;
      if (state !== NOT_YET || performance.now() > limit)
        throw databaseErrors('database.not_started', { params: { problem: (error as Error).message }, cause: error });
      await delay(100);
    }
  }
}
