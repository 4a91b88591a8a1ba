import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Log } from '@bulkhead/base';
import type { Client } from 'pg';
import { connect, type ConnectionUrl } from './connection.ts';
import { databaseErrors, fromDriver } from './database-errors.ts';
import { ownerRole } from './scope.ts';

export interface MigrateOptions {
  /** A login that is `bulkhead_owner` or may become it (`ensureRoles`). Directly to the server, not through a pooler. */
  readonly ownerUrl: ConnectionUrl;
  /** Absolute path of the folder of `0001-name.sql`, `0002-name.sql`, … A folder that does not exist counts as empty. */
  readonly folder: string;
  readonly log: Log;
}

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

const fileForm = /^(\d{4})-[a-z0-9]+(?:-[a-z0-9]+)*\.sql$/;
const tenantTableFile = fileURLToPath(new URL('../sql/tenant-table.sql', import.meta.url));

function refusal(problem: string, cause?: unknown): Error {
  return databaseErrors('database.migration_refused', { params: { problem }, cause });
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const names = files.filter((file) => file.endsWith('.sql') && file !== 'schema.sql').sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(fileForm.exec(name)?.[1]);
      if (number !== index + 1) throw refusal(`the file ${name} is not the next of an unbroken sequence 0001-name.sql, 0002-name.sql, …`);
      const text = await readFile(join(folder, name), 'utf8');
      return { number, name, text, checksum: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/**
 * Brings the database forward to the newest file of `folder` and answers how many files were run. Each file is one
 * transaction (so no `create index concurrently`); any number of processes may do this at once, each file runs once.
 * Throws `database.migration_refused` where a file that was run has changed, or the database is newer than the folder.
 */
export async function migrate(options: MigrateOptions): Promise<number> {
  const migrations = await readMigrations(options.folder);
  let client: Client;
  try {
    client = await connect(options.ownerUrl, 'bulkhead-migrate');
  } catch (error) {
    throw fromDriver(error);
  }
  try {
    await alone(client, () => prepare(client, migrations));
    let count = 0;
    while (await alone(client, () => runNext(client, migrations, options.log))) count += 1;
    return count;
  } finally {
    await client.end();
  }
}

/** Runs `work` in a transaction as the owner, while no other process migrates this database. */
async function alone<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    await client.query(`select pg_advisory_xact_lock(hashtextextended('bulkhead:migrate', 0))`);
    await client
      .query(`select set_config('role', $1, true), set_config('statement_timeout', '0', true), set_config('search_path', 'public', true)`, [
        ownerRole,
      ])
      .catch((error: unknown) => {
        throw refusal(`this login cannot act as ${ownerRole}; ensureRoles comes first.`, error);
      });
    const value = await work();
    await client.query('commit');
    return value;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw fromDriver(error);
  }
}

async function prepare(client: Client, migrations: readonly Migration[]): Promise<void> {
  await client.query(
    `create table if not exists public.bulkhead_migrations (
       number integer primary key,
       name text not null,
       checksum text not null,
       applied_at timestamptz not null default now()
     )`,
  );
  await client.query('revoke all on public.bulkhead_migrations from public');
  // Before anything is replaced: a newer database keeps its newer functions.
  await appliedCount(client, migrations);
  await client.query(await readFile(tenantTableFile, 'utf8'));
}

/** How many of `migrations` the database has had; throws unless they are the first ones of the folder, unchanged. */
async function appliedCount(client: Client, migrations: readonly Migration[]): Promise<number> {
  const { rows } = await client.query<{ number: number; name: string; checksum: string }>(
    'select number, name, checksum from public.bulkhead_migrations order by number',
  );
  const last = rows.at(-1);
  if (rows.length > migrations.length) {
    throw refusal(
      `it is newer than this program: it has had ${last?.name}, and this program ends at ${migrations.at(-1)?.name ?? 'nothing'}. Start the newer program.`,
    );
  }
  rows.forEach((row, index) => {
    const file = migrations[index];
    if (file === undefined || file.number !== row.number || file.name !== row.name)
      throw refusal(`it has had ${row.name}, where this program has ${file?.name ?? 'nothing'}.`);
    if (file.checksum !== row.checksum) throw refusal(`${file.name} has changed since it was run. Undo the change and write a new file.`);
  });
  return rows.length;
}

/** Runs the first file that has not been run; false where there is none. */
async function runNext(client: Client, migrations: readonly Migration[], log: Log): Promise<boolean> {
  const next = migrations[await appliedCount(client, migrations)];
  if (next === undefined) return false;
  try {
    await client.query(next.text);
  } catch (error) {
    throw refusal(`${next.name} failed: ${(error as Error).message}`, error);
  }
  if (client.getTransactionStatus() !== 'T')
    throw refusal(`${next.name} ended its transaction by itself; take its commit or rollback out and look at what it left behind.`);
  // The file may have changed role or path; the record is the owner's, in its own place.
  await client.query(`select set_config('role', $1, true)`, [ownerRole]);
  await client.query('insert into public.bulkhead_migrations (number, name, checksum) values ($1, $2, $3)', [
    next.number,
    next.name,
    next.checksum,
  ]);
  log.info('A migration was run', { name: next.name });
  return true;
}
