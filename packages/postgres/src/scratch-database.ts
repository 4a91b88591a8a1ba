import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBase62, silentLog } from '@bulkhead/base';
import { inject } from 'vitest';
import { connect } from './connection.ts';
import { dropDatabase } from './database-copy.ts';
import { type DatabaseOptions, openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { ensureRoles } from './roles.ts';

/** What the run's global setup publishes. */
type ClusterOfRun = Readonly<Record<'adminUrl' | 'ownerUrl' | 'appUrl' | 'controlUrl' | 'systemUrl' | 'template', string>> & {
  readonly listenUrl?: string;
  readonly preparedStatements: boolean;
};

/** For the tests of this package: an empty database with roles, on the cluster of the test run. */
export async function scratchDatabase() {
  const file = inject('bulkheadClusterFile');
  let cluster: ClusterOfRun | undefined;
  while (cluster === undefined) {
    const text = await readFile(file, 'utf8').catch(() => null);
    const content = text === null ? {} : (JSON.parse(text) as { cluster?: typeof cluster; error?: string });
    if (content.error !== undefined) throw new Error(content.error);
    cluster = content.cluster;
    if (cluster === undefined) await delay(20);
  }
  const { adminUrl, template, preparedStatements, ...urls } = cluster;
  const name = `scratch_${randomBase62(16).toLowerCase()}`;
  const here = (url: string, database: string) => url.replace(`/${database}?`, `/${name}?`);
  const admin = await connect(adminUrl, 'scratch');
  await admin.query(`create database ${name}`);
  await admin.end();
  const adminHere = here(adminUrl, 'postgres');
  await ensureRoles({ url: adminHere, log: silentLog });
  return {
    name,
    /** Superuser, to the cluster's own database and to this one. */
    adminUrl,
    adminHere,
    ownerUrl: here(urls.ownerUrl, template),
    appUrl: here(urls.appUrl, template),
    controlUrl: here(urls.controlUrl, template),
    systemUrl: here(urls.systemUrl, template),
    listenUrl: here(urls.listenUrl ?? urls.systemUrl, template),
    preparedStatements,
    drop: () => dropDatabase({ adminUrl, name }),
  };
}

/** Where `url` leads, a socket that is a file or a port, and the same URL by way of another address. */
export function detour(url: string) {
  const { username, password, hostname, port, pathname, searchParams } = new URL(url.replace('@/', '@localhost/'));
  const folder = searchParams.get('host');
  return {
    target: folder === null ? { host: hostname, port: Number(port) } : { path: join(folder, '.s.PGSQL.5432') },
    by: (address: string) => `postgresql://${username}:${password}@${address}${pathname}`,
  };
}

/** Runs SQL files given as name → text, from a folder that is gone afterwards. */
export async function migrateWith(ownerUrl: string, files: Readonly<Record<string, string>>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'bulkhead-migrations-'));
  try {
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    return await migrate({ ownerUrl, folder, log: silentLog });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export { runPastDoors as runAs } from './past-doors.ts';

export const exampleSchema = `
  create table organizations (organization_id text primary key, name text not null);
  select bulkhead_control_table('organizations');
  create table applications (application_id text primary key, organization_id text not null references organizations, name text not null);
  select bulkhead_tenant_table('applications');
  grant select on applications to bulkhead_control;
  create policy organization_scope on applications for select to bulkhead_control
    using (organization_id = (select current_setting('bulkhead.organization_id')));
  create table notes (
    application_id text not null references applications,
    note_id bigint not null,
    body text not null,
    primary key (application_id, note_id)
  );
  select bulkhead_tenant_table('notes');
`;

/** A scratch database with `exampleSchema` and its doors open. */
export async function exampleDatabase(options: Partial<DatabaseOptions> = {}) {
  const scratch = await scratchDatabase();
  await migrateWith(scratch.ownerUrl, { '0001-example.sql': exampleSchema });
  const database = openDatabase({ ...scratch, log: silentLog, poolSize: 4, ...options });
  return {
    ...scratch,
    database,
    async close() {
      await database.close();
      await scratch.drop();
    },
  };
}
