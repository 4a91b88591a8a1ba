import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Log, randomBase62, Secret, silentLog, systemClock } from '@bulkhead/base';
import { claimKeys, EnvironmentKeys, type KeyService, provideAuditTrailOf } from '@bulkhead/platform';
import { createDatabaseFrom, type Database, type DatabaseOptions, dropDatabase, openDatabase } from '@bulkhead/postgres';
import { inject } from 'vitest';
import type { TestCluster, TestClusterFile } from './global-setup.ts';

export interface TestDatabase {
  readonly database: Database;
  /** Log-in of the owner of the tables: for migrations and for looking past the doors. */
  readonly ownerUrl: Secret;
  /** What `openDatabase` takes, for a second process or another pool on the same database. */
  readonly urls: {
    readonly ownerUrl: Secret;
    readonly appUrl: Secret;
    readonly controlUrl: Secret;
    readonly systemUrl: Secret;
    readonly listenUrl: Secret;
    readonly preparedStatements: boolean;
  };
  /** A copy of the database as it is now, as of a dump that was restored elsewhere. Who is connected is put out meanwhile. */
  copy(): Promise<TestDatabase>;
  /** Closes the pools and drops the database. */
  close(): Promise<void>;
}

export interface TestDatabaseOptions
  extends Partial<Pick<DatabaseOptions, 'poolSize' | 'preparedStatements' | 'statementTimeoutMs' | 'acquireTimeoutMs'>> {
  readonly log?: Log;
}

const START_LIMIT_MS = 60_000;

/** The PostgreSQL of this run, once it is up. */
export async function testCluster(): Promise<TestCluster> {
  const file = inject('bulkheadClusterFile');
  for (const limit = performance.now() + START_LIMIT_MS; performance.now() < limit; await delay(20)) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) continue;
    const content = JSON.parse(text) as TestClusterFile;
    if ('error' in content) throw new Error(`The test cluster did not start: ${content.error}`);
    return content.cluster;
  }
  throw new Error('The test cluster did not start in time.');
}

/**
 * A database of this test's own, migrated: a copy of the run's template, made in some 50 ms. Nothing is shared with
 * other tests but the roles. The suite must run under the repository's vitest configuration, which starts the cluster.
 */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { template } = await testCluster();
  return databaseFrom({ template, disconnect: false }, options);
}

async function databaseFrom(source: { template: string; disconnect: boolean }, options: TestDatabaseOptions): Promise<TestDatabase> {
  const { adminUrl, template, preparedStatements, ...roleUrls } = await testCluster();
  const name = `test_${randomBase62(16).toLowerCase()}`;
  await createDatabaseFrom({ adminUrl, name, ...source });
  const here = (url: string): Secret => new Secret(url.replace(`/${template}?`, `/${name}?`));
  const urls = {
    ownerUrl: here(roleUrls.ownerUrl),
    appUrl: here(roleUrls.appUrl),
    controlUrl: here(roleUrls.controlUrl),
    systemUrl: here(roleUrls.systemUrl),
    listenUrl: here(roleUrls.listenUrl ?? roleUrls.systemUrl),
    preparedStatements,
  };
  const { log = silentLog, ...rest } = options;
  const database = openDatabase({ ...urls, log, poolSize: 5, ...rest });
  // A platform on it brings its own.
  provideAuditTrailOf(database, { keys: () => keysOf(database), clock: systemClock });
  return {
    database,
    ownerUrl: urls.ownerUrl,
    urls,
    copy: () => databaseFrom({ template: name, disconnect: true }, options),
    async close() {
      await database.close();
      await dropDatabase({ adminUrl, name });
    },
  };
}

/** A root key of its own, for a test that writes audit entries and brings no keys. */
async function keysOf(database: Database): Promise<KeyService> {
  const keys = new EnvironmentKeys([randomBytes(32)]);
  const refused = await claimKeys(database, keys, new Date());
  if (refused !== null) throw new Error(`this test brings keys of its own and must provide the audit trail with them: ${refused}`);
  return keys;
}
