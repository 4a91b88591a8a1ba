import type { Database } from '@bulkhead/postgres';
import { sql, type Tx } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

/** Whether the process "dies" when an answer is to be kept: nothing after that moment reaches the database. */
let dies: 'never' | 'before the answer is kept' | 'before the change' = 'never';

function dying<Scoped extends Tx>(tx: Scoped): Scoped {
  const guard = (text: string) => {
    if (dies === 'before the answer is kept' && /update \S*idempotency_keys\S* set status/.test(text.trim())) throw new Error('killed');
    if (dies === 'before the change' && /insert into \S*audit_entries/.test(text)) throw new Error('killed');
    // A dead process frees nothing either.
    if (dies !== 'never' && /delete from \S*idempotency_keys\S* where .* status is null/s.test(text)) throw new Error('killed');
  };
  return Object.assign(Object.create(tx) as Scoped, {
    origin: tx.origin,
    query: (statement: ReturnType<typeof sql>) => tx.query(statement),
    one: (statement: ReturnType<typeof sql>) => tx.one(statement),
    maybe: (statement: ReturnType<typeof sql>) => tx.maybe(statement),
    onCommit: (callback: () => void) => tx.onCommit(callback),
    async execute(statement: ReturnType<typeof sql>) {
      guard(statement.text);
      return tx.execute(statement);
    },
  });
}

const mortal = (db: Database): Database => ({
  ...db,
  withTenant: (id, work) => db.withTenant(id, (tx) => work(dying(tx))),
  withOrganization: (id, work) => db.withOrganization(id, (tx) => work(dying(tx))),
  withSystem: (reason, work, options) => db.withSystem(reason, (tx) => work(dying(tx)), options),
});

let world: World;
beforeAll(async () => {
  world = await World.create({ database: mortal });
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(() => {
  dies = 'never';
});

let keys = 0;
const freshKey = () => `key-${++keys}`;

interface Change {
  readonly ask: (key: string, variant?: string) => ReturnType<World['call']>;
  readonly count: () => Promise<number>;
}

/** Changes by each kind of caller, and how many were made. */
async function change(kind: string): Promise<Change> {
  const { id, apiKey } = await world.application();
  const count = (table: 'apikeys' | 'accounts') =>
    world.platform.db.withSystem('count in a test', async (tx) => {
      const name = table === 'apikeys' ? 'api_keys' : 'accounts';
      return (await tx.one<{ n: number }>(sql`select count(*) as n from ${sql.identifier(name)} where application_id = ${id}`)).n;
    });
  switch (kind) {
    case 'a Meta token below an Application': {
      const before = await count('apikeys');
      return {
        ask: (key) => world.meta('POST', `/applications/${id}/apikeys`, {}, { 'idempotency-key': key }),
        count: async () => (await count('apikeys')) - before,
      };
    }
    case 'a Meta token that makes an Application': {
      const name = `made-${id}`;
      return {
        ask: (key, variant = '') => world.meta('POST', '/applications', { name: name + variant }, { 'idempotency-key': key }),
        count: async () => (await world.meta('GET', `/applications?search=${name}`)).json.total,
      };
    }
    default:
      return {
        ask: (key, variant = '') =>
          world.call('POST', '/v1/accounts', {
            headers: { authorization: `APIKey ${apiKey}`, 'idempotency-key': key },
            body: { service: 'dropbox', account: `ada${variant}`, token: 'upstream-token', identity_id: 'ada' },
          }),
        count: () => count('accounts'),
      };
  }
}

describe.each(['an API key', 'a Meta token below an Application', 'a Meta token that makes an Application'])(
  'a change by %s under an Idempotency-Key, where the process dies',
  (kind) => {
    test('between the change and the keeping of its answer, is not made again, a minute later or an hour', async () => {
      const { ask, count } = await change(kind);
      const key = freshKey();
      dies = 'before the answer is kept';
      expect((await ask(key)).status).toBe(500);
      dies = 'never';
      expect(await count()).toBe(1);
      for (const later of [0, 61_000, 3_600_000]) {
        world.clock.advance(later);
        const again = await ask(key);
        expect(again.status).toBe(409);
        // For a minute nobody can tell a dead process from a slow one.
        expect(again.json.code).toBe(later === 0 ? 'idempotency.in_progress' : 'idempotency.answer_lost');
      }
      expect(await count()).toBe(1);
      // After a day the key is new; another key is new at once.
      world.clock.advance(24 * 3_600_000);
      expect((await ask(freshKey(), '-other')).status).toBeLessThan(410);
    });

    test('before the change, is made once when it is asked for again after a minute', async () => {
      const { ask, count } = await change(kind);
      const key = freshKey();
      dies = 'before the change';
      expect((await ask(key)).status).toBe(500);
      dies = 'never';
      expect(await count()).toBe(0);
      expect((await ask(key)).json.code).toBe('idempotency.in_progress');
      world.clock.advance(61_000);
      const first = await ask(key);
      expect(first.status).toBe(201);
      expect((await ask(key)).text).toBe(first.text);
      expect(await count()).toBe(1);
    });

    test('control: nowhere, gives the same answer for a day', async () => {
      const { ask, count } = await change(kind);
      const key = freshKey();
      const first = await ask(key);
      expect(first.status).toBe(201);
      world.clock.advance(23 * 3_600_000);
      const again = await ask(key);
      expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([201, first.text, 'true']);
      expect(await count()).toBe(1);
      expect(await left()).toBe(0);
    });
  },
);

/** Marks that outlived their use. */
async function left(): Promise<number> {
  const now = new Date(world.clock.now());
  return world.platform.db.withSystem('count in a test', async (tx) => {
    const { n } = await tx.one<{ n: number }>(sql`
      select (select count(*) from idempotency_keys where principal like 'changed %' and expires_at > ${now})
           + (select count(*) from organization_idempotency_keys where idempotency_key like 'changed %' and expires_at > ${now}) as n`);
    return n;
  });
}

describe('ten requests at the same moment under one key', () => {
  test('make one change; each is answered with it or told to wait', async () => {
    const { ask, count } = await change('an API key');
    const key = freshKey();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(key)));
    expect(await count()).toBe(1);
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(1);
    for (const { status, json } of answers) expect(status === 201 || json.code === 'idempotency.in_progress').toBe(true);
  });
});
