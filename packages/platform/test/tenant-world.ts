import { randomBytes } from 'node:crypto';
import { type ApplicationId, applicationId, ManualClock } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { testDatabase, type TestDatabase } from '@bulkhead/testkit';
import { provideAuditTrailOf } from '../src/platform.ts';
import { claimKeys, EnvironmentKeys, Vault } from '../src/vault/index.ts';

/** A migrated database, a vault and a clock: what the slices below the composition root need. */
export interface TenantWorld extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly clock: ManualClock;
  readonly vault: Vault;
  readonly now: () => Date;
  /** A bare Application with its data key. */
  readonly application: () => Promise<ApplicationId>;
}

export async function tenantWorld(): Promise<TenantWorld> {
  const database = await testDatabase();
  const clock = new ManualClock();
  const keys = new EnvironmentKeys([randomBytes(32)]);
  await claimKeys(database.database, keys, new Date(clock.now()));
  const vault = new Vault({ keys, clock });
  provideAuditTrailOf(database.database, { keys: async () => keys, clock });
  return {
    database,
    clock,
    vault,
    now: () => new Date(clock.now()),
    async application() {
      const id = applicationId.generate();
      await database.database.withSystem('an Application of a test', async (tx) => {
        await tx.execute(sql`insert into applications (application_id, organization_id, name) values (${id}, 'org', 'Test')`);
        await vault.createDataKey(tx, id);
      });
      return id;
    },
    [Symbol.asyncDispose]: () => database.close(),
  };
}
