import type pg from 'pg';
import { alternate, figure, medians, percentile } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import type { Row } from '../row.ts';
import { type CloneStack, cloneStack } from '../stack/clone-stack.ts';
import { applicationIdList } from '../stack/fill.ts';

const FEW = 100;
const MANY = 100_000;
const CLONES_OF_A_ROUND = 40;
const AT_ONCE = 10_000;

/** Applications as clones leave them, with five services and OAuth keys, two webhooks and two redirect URIs each. */
async function fill(client: pg.Client, organizationId: string, source: string, count: number): Promise<void> {
  await client.query('set session_replication_role = replica');
  for (let left = count; left > 0; left -= AT_ONCE) {
    const values = [applicationIdList(Math.min(left, AT_ONCE)), organizationId, source];
    for (const statement of ROWS) await client.query(statement, values);
  }
  await client.query('set session_replication_role = origin');
  await client.query('vacuum (analyze)');
  await client.query('checkpoint');
}

// Every statement takes the same three values; PostgreSQL wants each of them used.
const COPIES = `unnest($1::text[]) copy where $2::text is not null and $3::text is not null`;
const EACH = (table: string, limit: number): string =>
  `unnest($1::text[]) copy, (select * from ${table} where application_id = $3 order by 1, 2 limit ${limit}) row where $2::text is not null`;
const ROWS: readonly string[] = [
  `insert into applications (application_id, organization_id, name, source_application_id, source_revision)
   select copy, $2, 'Customer', $3, 1 from unnest($1::text[]) copy`,
  `insert into branding (application_id, display_name) select copy, 'Customer' from ${COPIES}`,
  `insert into event_settings (application_id, retention_hours) select copy, 24 from ${COPIES}`,
  `insert into data_keys (application_id, version, root_key_id, wrapped_key) select copy, row.version, row.root_key_id, row.wrapped_key from ${EACH('data_keys', 1)}`,
  `insert into api_keys (application_id, api_key_id, key_hash, shortened) select copy, md5(copy), sha256(copy::bytea), 'bhk_…' from ${COPIES}`,
  `insert into custom_services (application_id, service, definition, callback_id)
   select copy, row.service, row.definition, md5(copy || row.service) from ${EACH('custom_services', 5)}`,
  `insert into oauth_keys (application_id, oauth_key_id, service, client_id, client_secret_sealed, scopes)
   select copy, md5(copy || row.service), row.service, row.client_id, row.client_secret_sealed, row.scopes from ${EACH('oauth_keys', 5)}`,
  `insert into redirect_uris (application_id, redirect_uri_id, url) select copy, row.redirect_uri_id, row.url from ${EACH('redirect_uris', 2)}`,
  `insert into webhooks (application_id, webhook_id, url, format, secret_sealed)
   select copy, row.webhook_id, row.url, row.format, row.secret_sealed from ${EACH('webhooks', 2)}`,
];

async function filled(lab: Lab, name: string, count: number): Promise<CloneStack> {
  const stack = await cloneStack(lab, name);
  const startedAt = performance.now();
  await fill(stack.client, stack.organizationId, stack.source, count);
  lab.say(`  ${count.toLocaleString('en-US')} Applications built in ${figure((performance.now() - startedAt) / 1000)} s`);
  for (let at = 0; at < CLONES_OF_A_ROUND; at += 1) await stack.clone();
  return stack;
}

async function p95(stack: CloneStack): Promise<number> {
  const values: number[] = [];
  for (let at = 0; at < CLONES_OF_A_ROUND; at += 1) values.push(await stack.clone());
  return percentile(values, 0.95);
}

export const clone100k: Row = {
  id: 'clone-100k',
  what: 'clone of an Application with 50 OAuth keys and 20 webhooks among 100,000 Applications: 95th percentile',
  yardstick: 'the same among 100 Applications',
  unit: 'ratio',
  reach: { atMost: 1.2 },
  needs: ['taskset'],
  async measure(lab) {
    const many = Math.max(FEW, Math.round(MANY * lab.scale));
    await using few = await filled(lab, 'clone_few', FEW);
    await using large = await filled(lab, 'clone_many', many);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => p95(large),
      yardstick: () => p95(few),
      compare: (ours, yardstick) => ours / yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 'ms p95')}; ${many.toLocaleString('en-US')} Applications.` };
  },
};
