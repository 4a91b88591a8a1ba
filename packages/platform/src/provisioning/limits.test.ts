import type { ApplicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const ACCOUNTS_MAX = 3;

let world: World;
let application: { id: string; apiKey: string };
beforeAll(async () => {
  world = await World.create({ accountsMax: ACCOUNTS_MAX });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  application = await world.application();
});

/** Copies of a row of the Application, each with other values in the named columns, as long as the hash of a key. */
function fill(table: string, columns: readonly string[], count: number): Promise<number> {
  const id = application.id as ApplicationId;
  const changes = sql.join(columns.map((column) => sql`${column}::text, lpad(${`${column}-`}::text || n, 32, 'x')`));
  return world.database.database.withTenant(id, (tx) =>
    tx.execute(sql`
      with one as (select t from ${sql.identifier(table)} t where application_id = ${id} limit 1)
      insert into ${sql.identifier(table)}
      select (jsonb_populate_record(one.t, jsonb_build_object(${changes}))).* from one, generate_series(1, ${count}::int) n`),
  );
}

const service = {
  friendly_name: 'Files',
  auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
  api: { base_url: 'https://files.example' },
};

const COLLECTIONS: readonly [path: string, table: string, columns: readonly string[], limit: number, body: (name: string) => object][] = [
  ['apikeys', 'api_keys', ['api_key_id', 'key_hash'], 100, () => ({})],
  ['redirect_uris', 'redirect_uris', ['redirect_uri_id', 'url'], 1_000, (name) => ({ url: `https://${name}.example/` })],
  ['trusted_domains', 'trusted_domains', ['trusted_domain_id', 'domain'], 1_000, (name) => ({ domain: `${name}.example` })],
  ['services', 'custom_services', ['service', 'callback_id'], 200, (name) => ({ id: name, ...service })],
  ['webhooks', 'webhooks', ['webhook_id'], 200, (name) => ({ url: `https://${name}.example/`, format: 'standard' })],
];

describe('T5: how much an Application may hold', () => {
  it.each(COLLECTIONS)(
    '%s: one more than the limit is refused, with the limit and the way out',
    async (path, table, columns, limit, body) => {
      const add = (name: string) => world.meta('POST', `/applications/${application.id}/${path}`, body(name));
      const first = await add('first');
      expect(first.status).toBe(201);
      // An Application is born with one API key.
      await fill(table, columns, limit - (path === 'apikeys' ? 3 : 2));
      const last = await add('last');
      expect(last.status).toBe(201);
      const refused = await add('one-more');
      expect(refused.status).toBe(400);
      expect(refused.json).toMatchObject({
        error_code: 'request_failed',
        code: expect.stringMatching(/^(?:webhook\.limit|limit\.reached)$/),
      });
      expect(refused.json.message).toMatch(new RegExp(`at most ${limit} .*Delete those that are no longer used`));
      // Control: the way out leads out, and another Application has room.
      expect((await world.meta('DELETE', `/applications/${application.id}/${path}/${last.json.id}`)).status).toBe(204);
      expect((await add('one-more')).status).toBe(201);
      const { id } = await world.application();
      expect((await world.meta('POST', `/applications/${id}/${path}`, body('first'))).status).toBe(201);
    },
  );

  it('accounts: the same, by a limit that the operator sets; those that are there are imported anew all the same', async () => {
    const call = (method: string, path: string, { apiKey }: { apiKey: string }, body?: object) =>
      world.call(method, `/v1/accounts${path}`, {
        headers: { authorization: `APIKey ${apiKey}` },
        ...(body === undefined ? {} : { body }),
      });
    const add = (name: string, to = application) =>
      call('POST', '', to, { service: 'dropbox', account: name, identity_id: name, token: `token-of-${name}` });
    const ids: number[] = [];
    for (let at = 0; at < ACCOUNTS_MAX; at++) ids.push((await add(`person-${at}`)).json.id);
    const refused = await add('one-more');
    expect(refused.status).toBe(400);
    expect(refused.json).toMatchObject({ error_code: 'request_failed', code: 'account.limit' });
    expect(refused.json.message).toContain(`holds ${ACCOUNTS_MAX} accounts`);
    expect(refused.json.message).toContain('BULKHEAD_ACCOUNTS_MAX');
    const again = await add('person-0');
    expect([again.status, again.json.id]).toEqual([201, ids[0]]);
    expect((await add('person-0', await world.application())).status).toBe(201);
    expect((await call('DELETE', `/${ids[1]}`, application)).status).toBe(204);
    expect((await add('one-more')).status).toBe(201);
  });
});
