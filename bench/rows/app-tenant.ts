import { randomBytes } from 'node:crypto';
import { createAppKit, defineDescriptor, postgresSchema, postgresTenantStore, Secret } from '@bulkhead/app-kit';
import { FakeHost } from '@bulkhead/app-kit/testkit';
import { Pool } from 'pg';
import { alternate, figure, medians } from '../alternate.ts';
import type { Row } from '../row.ts';

const TENANTS = 1_000;
const READS = 2_000;
const appKey = 'bench';
const appBaseUrl = 'https://app.example';
const columns = 'client_key, issuer, base_url, state, enabled, sealed_secrets, details, lifecycle_iat, installed_at';

export const appTenant: Row = {
  id: 'app-tenant',
  what: 'app-kit: a tenant read from PostgreSQL in its scope, under row-level security: time per read',
  yardstick: 'the same columns by the same key from a table without policies',
  unit: 'ratio',
  reach: { atMost: 1.2 },
  needs: ['taskset'],
  async measure(lab) {
    await using urls = await (await lab.cluster()).database('app_tenant');
    const owner = new Pool({ connectionString: urls.ownerUrl, max: 1 });
    const pool = new Pool({ connectionString: urls.appUrl, max: 1 });
    try {
      await owner.query(postgresSchema({ servingRole: 'bulkhead_app' }));
      const store = postgresTenantStore({ appKey, pool, sealingKeys: { current: randomBytes(32) } });
      const host = new FakeHost({ appKey, appBaseUrl });
      const sessionSecret = new Secret('a session secret of thirty-two characters');
      const descriptor = defineDescriptor({ key: appKey, baseUrl: appBaseUrl });
      const kit = createAppKit({ descriptor, issuers: [host.issuer], store, sessionSecret, fetch: host.fetch });
      await owner.query(`create table public.plain_tenants (like app_kit.tenants including indexes);
        grant select, insert on public.plain_tenants to bulkhead_app`);
      const clientKeys = Array.from({ length: TENANTS }, (_, at) => `tenant-${at}`);
      for (const clientKey of clientKeys) {
        await kit.answer(host.tenant(clientKey).installed());
        await store.withTenant(clientKey, (tx) => tx.query('insert into public.plain_tenants select * from app_kit.tenants'));
      }
      await owner.query('analyze');
      const time = async (read: (clientKey: string) => Promise<unknown>): Promise<number> => {
        const began = performance.now();
        for (let at = 0; at < READS; at += 1) await read(clientKeys[(at * 7) % TENANTS] ?? '');
        return ((performance.now() - began) * 1_000) / READS;
      };
      const scoped = () => time((clientKey) => pool.query(`select ${columns} from app_kit.find_tenant($1, $2)`, [appKey, clientKey]));
      const plain = () =>
        time((clientKey) =>
          pool.query(`select ${columns} from public.plain_tenants where app_key = $1 and client_key = $2`, [appKey, clientKey]),
        );
      await scoped();
      await plain();
      const measured = await alternate({ rounds: lab.rounds, ours: scoped, yardstick: plain, compare: (mine, theirs) => mine / theirs });
      const opened = await time((clientKey) => store.find(clientKey));
      return {
        ...measured,
        note: `${medians(measured.samples, 'µs')}, ${figure(opened)} µs with the secrets opened; ${TENANTS} tenants, one connection.`,
      };
    } finally {
      await Promise.all([owner.end(), pool.end()]);
    }
  },
};
