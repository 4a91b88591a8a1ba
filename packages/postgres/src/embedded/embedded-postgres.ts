import { join, resolve } from 'node:path';
import { rm } from 'node:fs/promises';
import { type Log, Secret } from '@bulkhead/base';
import { connect } from '../connection.ts';
import { ensureRoles } from '../roles.ts';
import { prepareBinaries } from './binaries.ts';
import { ensureCluster, layOut, type Layout, type Login, type Passwords } from './cluster.ts';
import { explainFolderError, inspectFolder } from './data-folder.ts';
import { clearFolder } from './occupant.ts';
import { chooseRunAs, type RunAs } from './run-as.ts';
import { Server } from './server.ts';

export interface EmbeddedPostgresOptions {
  /** The folder that holds the cluster, its passwords (0600) and its socket. Made if it is not there. */
  readonly dataDir: string;
  readonly log: Log;
  /** False gives up what a crash of the machine would cost for speed; for tests. */
  readonly durable?: boolean;
  /** The database in the cluster. Default: `bulkhead`. */
  readonly database?: string;
  /** Forces the way a root process runs PostgreSQL; for tests. */
  readonly runAs?: RunAs['kind'];
}

/** A PostgreSQL of our own. It is reached through a socket in a folder only we may enter, never through TCP. */
export interface EmbeddedPostgres {
  readonly ownerUrl: Secret;
  readonly appUrl: Secret;
  readonly controlUrl: Secret;
  readonly systemUrl: Secret;
  /** Superuser, to the database `postgres`. */
  readonly adminUrl: Secret;
  readonly socketDir: string;
  /** Of the server; another one after it crashed and was started again. */
  readonly pid: number;
  /** Shuts down in order: open transactions are rolled back, what was committed is on disk. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL on `dataDir` and makes cluster, roles and database at first. The server ends with this process
 * however that ends, is started again if it dies alone, and takes up its folder after any kill.
 * Throws `database.folder_in_use` (another Bulkhead serves from the folder) and `database.not_started`. A folder that is
 * refused because it is served from, or because it is not ours, is left as it was.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log.child({ subsystem: 'embedded-postgres' });
  const folder = resolve(options.dataDir);
  try {
    await inspectFolder(folder);
    await clearFolder(join(folder, 'pg'), folder, log);
    const as = await chooseRunAs(options.runAs);
    return await serve(options, await layOut(folder, as), as, log);
  } catch (error) {
    throw await explainFolderError(error, folder);
  }
}

async function serve(options: EmbeddedPostgresOptions, layout: Layout, as: RunAs, log: Log): Promise<EmbeddedPostgres> {
  let server: Server | undefined;
  try {
    const binaries = await prepareBinaries(layout.folder, as.kind === 'user');
    const passwords = await ensureCluster(layout, as, binaries);
    const database = options.database ?? 'bulkhead';
    const urlOf = (login: Login, name = database) => socketUrl(layout, passwords, login, name);
    const adminUrl = urlOf('postgres', 'postgres');
    const running = await Server.start({ as, binaries, layout, log, isDurable: options.durable ?? true, adminUrl });
    server = running;
    await ensureDatabase(adminUrl, database);
    await ensureRoles({ url: urlOf('postgres'), log, passwords });
    return {
      ownerUrl: urlOf('bulkhead_owner'),
      appUrl: urlOf('bulkhead_app'),
      controlUrl: urlOf('bulkhead_control'),
      systemUrl: urlOf('bulkhead_system'),
      adminUrl,
      socketDir: layout.socketFolder,
      get pid() {
        return running.pid;
      },
      async stop() {
        await running.stop();
        await removeTemporarySocket(layout);
      },
    };
  } catch (error) {
    await server?.stop();
    await removeTemporarySocket(layout);
    throw error;
  }
}

async function removeTemporarySocket(layout: Layout): Promise<void> {
  if (layout.hasTemporarySocket) await rm(layout.socketFolder, { recursive: true, force: true });
}

function socketUrl(layout: Layout, passwords: Passwords, login: Login, database: string): Secret {
  return new Secret(
    `postgresql://${login}:${passwords[login].reveal()}@/${encodeURIComponent(database)}?host=${encodeURIComponent(layout.socketFolder)}`,
  );
}

async function ensureDatabase(adminUrl: Secret, database: string): Promise<void> {
  const client = await connect(adminUrl, 'bulkhead-first-start');
  try {
    const { rows } = await client.query('select from pg_database where datname = $1', [database]);
    if (rows.length === 0) await client.query(`create database ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
}
