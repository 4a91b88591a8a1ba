import { type Secret, silentLog } from '@bulkhead/base';
import { MIGRATIONS_FOLDER } from '@bulkhead/platform';
import { createDatabaseFrom, dropDatabase, migrate, startEmbeddedPostgres } from '@bulkhead/postgres';
import { pin } from '../machine/child.ts';

const TEMPLATE = 'bulkhead_bench';

/** The log-ins of one database, as text: they go to child processes. */
export interface DatabaseUrls {
  readonly adminUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly controlUrl: string;
  readonly systemUrl: string;
}

export interface Cluster {
  /** A migrated database of one's own. */
  database(name: string): Promise<DatabaseUrls & AsyncDisposable>;
  stop(): Promise<void>;
}

export async function startCluster(dataDir: string): Promise<Cluster> {
  const postgres = await startEmbeddedPostgres({ dataDir, log: silentLog, database: TEMPLATE });
  await pin('rest', postgres.pid);
  await migrate({ ownerUrl: postgres.ownerUrl, folder: MIGRATIONS_FOLDER, log: silentLog });
  const { adminUrl } = postgres;
  return {
    async database(name) {
      await createDatabaseFrom({ adminUrl, name, template: TEMPLATE });
      const here = (url: Secret): string => url.reveal().replace(/\/(?:bulkhead_bench|postgres)\?/, `/${name}?`);
      return {
        adminUrl: here(adminUrl),
        ownerUrl: here(postgres.ownerUrl),
        appUrl: here(postgres.appUrl),
        controlUrl: here(postgres.controlUrl),
        systemUrl: here(postgres.systemUrl),
        [Symbol.asyncDispose]: () => dropDatabase({ adminUrl, name }),
      };
    },
    stop: () => postgres.stop(),
  };
}
