import { setImmediate as turn } from 'node:timers/promises';
import { type ApplicationId, applicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Tenant {
  readonly id: ApplicationId;
  readonly apiKey: string;
  readonly name: string;
}

let world: World;
let tenants: readonly Tenant[];
beforeAll(async () => {
  world = await World.create();
  tenants = await Promise.all(
    ['Alder', 'Birch', 'Cedar'].map(async (name) => {
      const { id, apiKey } = await world.application({ name });
      return { id: id as ApplicationId, apiKey, name };
    }),
  );
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const allNames = sql`select name from applications order by name`;

/** What goes wrong in the middle of a tenant's transaction. */
const failures: readonly (readonly [string, (id: ApplicationId) => Promise<unknown>])[] = [
  ['the work throws', (id) => world.platform.db.withTenant(id, () => Promise.reject(new Error('thrown on purpose')))],
  ['a statement is wrong', (id) => world.platform.db.withTenant(id, (tx) => tx.query(sql`select no_such_column from applications`))],
  [
    'a constraint is hurt',
    (id) =>
      world.platform.db.withTenant(id, (tx) =>
        tx.execute(
          sql`insert into api_keys (application_id, api_key_id, key_hash, shortened) values (${id}, 'x', ${Buffer.alloc(3)}, 'x')`,
        ),
      ),
  ],
  [
    'a row of another tenant is written',
    (id) =>
      world.platform.db.withTenant(id, (tx) =>
        tx.execute(
          sql`insert into redirect_uris (application_id, redirect_uri_id, url) values (${applicationId.generate()}, 'x', 'https://x.example')`,
        ),
      ),
  ],
  ['a statement is not waited for', (id) => world.platform.db.withTenant(id, async (tx) => void tx.query(allNames).catch(() => undefined))],
  [
    'a failed statement is swallowed',
    (id) => world.platform.db.withTenant(id, async (tx) => tx.query(sql`select 1 / 0`).catch(() => undefined)),
  ],
  ['the connection dies', (id) => world.platform.db.withTenant(id, (tx) => tx.query(sql`select pg_terminate_backend(pg_backend_pid())`))],
];

describe('T3: a pooled connection never carries a scope into the next request', () => {
  test.each(failures)('after a transaction in which %s, every tenant sees itself and nothing else', async (_what, fail) => {
    const [first] = tenants;
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => fail(first!.id)));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    await turn();
    const seen = await Promise.all(
      Array.from({ length: 12 }, (_, at) => world.platform.db.tenantQuery<{ name: string }>(tenants[at % 3]!.id, allNames)),
    );
    expect(seen).toEqual(Array.from({ length: 12 }, (_, at) => [{ name: tenants[at % 3]!.name }]));
  });

  test.each(failures)('after a transaction in which %s, a query without a scope returns no row', async (_what, fail) => {
    await Promise.allSettled(Array.from({ length: 8 }, () => fail(tenants[0]!.id)));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => world.platform.db.withControl('a scope of nobody', (tx) => tx.query(allNames))),
    );
    for (const outcome of outcomes) expect(outcome.status === 'rejected' || outcome.value.length === 0).toBe(true);
  });

  test('control: a scope that is set for the session, not for the transaction, would be seen by the next one', async () => {
    const [first, second] = tenants;
    const leaky = Array.from({ length: 40 }, () =>
      world.platform.db.withTenant(first!.id, async (tx) => {
        await tx.execute(sql`select set_config('bulkhead.organization_id', 'leaked', false)`);
        return tx.one<{ scope: string }>(sql`select current_setting('bulkhead.organization_id') as scope`);
      }),
    );
    await Promise.all(leaky);
    // Behind a pooler it is one of many connections that comes next.
    const after = await Promise.all(
      Array.from({ length: 40 }, () =>
        world.platform.db.tenantQuery<{ scope: string | null }>(
          second!.id,
          sql`select current_setting('bulkhead.organization_id', true) as scope`,
        ),
      ),
    );
    expect(after.flat()).toContainEqual({ scope: 'leaked' });
    // The scope of a tenant is set anew for every transaction, so that what leaks is never it.
    expect(await world.platform.db.tenantQuery(second!.id, allNames)).toEqual([{ name: second!.name }]);
  });

  test('over HTTP, among refused, broken and abandoned requests, each tenant is answered with its own', async () => {
    const answers = await Promise.all(
      Array.from({ length: 120 }, async (_, at) => {
        const tenant = tenants[at % 3]!;
        const headers = { authorization: `APIKey ${tenant.apiKey}` };
        switch (at % 5) {
          case 0:
            await world.call('POST', '/v1/accounts', { headers: { ...headers, 'content-type': 'application/json' }, body: '{"service": ' });
            break;
          case 1:
            await world.call('GET', `/v1/meta/applications/${tenants[(at + 1) % 3]!.id}`, { headers: { authorization: 'Bearer nobody' } });
            break;
          case 2:
            await fetch(`${world.url}/v1/accounts`, { headers, signal: AbortSignal.timeout(1) }).catch(() => undefined);
            break;
          default:
            break;
        }
        const metadata = await world.meta('GET', `/applications/${tenant.id}`);
        const listed = await world.call('GET', '/v1/accounts', { headers });
        return { asked: tenant.name, got: metadata.json.name, status: listed.status };
      }),
    );
    expect(answers.filter(({ asked, got, status }) => asked !== got || status !== 200)).toEqual([]);
  });
});
