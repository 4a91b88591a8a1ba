import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBase62 } from '@bulkhead/base';
import { createOperatorDatabase } from '@bulkhead/postgres';
import { testCluster } from '@bulkhead/testkit';
import { afterAll } from 'vitest';
import { ServerProcess } from '../faults/server-process.ts';

/**
 * The acceptance suite once more, against a `bulkhead start` as an operator runs it: one ordinary login that owns its database and may
 * create roles, requests through the pooler, migrations and notifications past it.
 */
const cluster = await testCluster();
const name = `operator_${randomBase62(12).toLowerCase()}`;
const password = randomBase62(24);
const database = await createOperatorDatabase({ adminUrl: cluster.adminUrl, name, password });

const dataDir = await mkdtemp(join(tmpdir(), 'bulkhead-pooler-'));
const as = (url: string) => url.replace(/\/\/[^@]+@/, `//${name}:${password}@`).replace(/\/[^/?]+\?/, `/${name}?`);
const metaToken = `meta-token-of-this-test-${randomBase62(24)}`;
const served = await ServerProcess.spawn('behind-a-pooler', {
  BULKHEAD_DATA_DIR: dataDir,
  BULKHEAD_DATABASE_URL: as(cluster.adminUrl),
  BULKHEAD_DATABASE_POOLER_URL: as(cluster.appUrl),
  BULKHEAD_META_TOKEN: metaToken,
  BULKHEAD_EGRESS_ALLOW: '127.0.0.0/8',
  // Those of an operator who has said nothing; the process of the fault suite has none.
  BULKHEAD_RATE_LIMITS: 'api=1000,passthrough=1000,oauth=500,meta=200',
});
await served.ready();
process.env['BULKHEAD_URL'] = served.url;
process.env['BULKHEAD_META_TOKEN'] = metaToken;

afterAll(async () => {
  await served.end();
  await rm(dataDir, { recursive: true, force: true });
  await database.drop();
});

await import('../acceptance/company.test.ts');
await import('../acceptance/conventions.test.ts');
await import('../acceptance/kloudless-client.test.ts');
