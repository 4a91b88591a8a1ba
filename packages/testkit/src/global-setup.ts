import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLog } from '@bulkhead/base';
import { migrate, startEmbeddedPostgres } from '@bulkhead/postgres';
import type { TestProject } from 'vitest/node';
import { startPooledCluster } from './pooled-cluster.ts';

/** What the run's cluster leaves for the test processes, in `cluster.json`. */
export interface TestCluster {
  /** Superuser, to the database `postgres`. */
  readonly adminUrl: string;
  /** The roles' URLs, to the template database. */
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly controlUrl: string;
  readonly systemUrl: string;
  /** Past a pooler, where there is one. */
  readonly listenUrl?: string;
  /** False behind a pooler that loses them. */
  readonly preparedStatements: boolean;
  readonly template: string;
}

export type TestClusterFile = { readonly cluster: TestCluster } | { readonly error: string };

declare module 'vitest' {
  interface ProvidedContext {
    /** The file in which a `TestClusterFile` appears once the cluster is up, or has failed. */
    bulkheadClusterFile: string;
  }
}

export const templateDatabase = 'bulkhead_template';
const migrations = fileURLToPath(new URL('../../platform/sql', import.meta.url));

/**
 * One PostgreSQL for the whole run, not durable, in a folder of its own. It starts while the first tests run already;
 * those that need it wait for the file.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'bulkhead-test-'));
  const file = join(folder, 'cluster.json');
  project.provide('bulkheadClusterFile', file);
  const starting = startCluster(folder, file);
  return async () => {
    await (await starting)?.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

async function startCluster(folder: string, file: string): Promise<{ stop(): Promise<void> } | undefined> {
  try {
    if (process.env['TEST_POSTGRES'] === 'pgbouncer') return await startPooled(folder, file);
    const postgres = await startEmbeddedPostgres({
      dataDir: join(folder, 'postgres'),
      log: silentLog,
      durable: false,
      database: templateDatabase,
    });
    try {
      await migrate({ ownerUrl: postgres.ownerUrl, folder: migrations, log: silentLog });
    } catch (error) {
      await publish(file, { error: explain(error) });
      return postgres;
    }
    const reveal = {
      adminUrl: postgres.adminUrl,
      ownerUrl: postgres.ownerUrl,
      appUrl: postgres.appUrl,
      controlUrl: postgres.controlUrl,
      systemUrl: postgres.systemUrl,
    };
    const urls = Object.fromEntries(Object.entries(reveal).map(([name, url]) => [name, url.reveal()])) as Record<
      keyof typeof reveal,
      string
    >;
    await publish(file, { cluster: { ...urls, preparedStatements: true, template: templateDatabase } });
    return postgres;
  } catch (error) {
    await publish(file, { error: explain(error) });
    return undefined;
  }
}

/** The same tests on a PostgreSQL 15 behind PgBouncer, where `TEST_POSTGRES=pgbouncer` asks for it. */
async function startPooled(folder: string, file: string): Promise<{ stop(): Promise<void> }> {
  const { cluster, ...urls } = await startPooledCluster(join(folder, 'pooled'), templateDatabase);
  try {
    await migrate({ ownerUrl: urls.ownerUrl, folder: migrations, log: silentLog });
    await publish(file, { cluster: { ...urls, preparedStatements: false, template: templateDatabase } });
  } catch (error) {
    await publish(file, { error: explain(error) });
  }
  return cluster;
}

function explain(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** In one step, so that nobody reads half of it. */
async function publish(file: string, content: TestClusterFile): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
