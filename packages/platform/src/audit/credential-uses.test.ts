import { ManualClock, silentLog } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CredentialUse, type CredentialUses, credentialUses } from './credential-uses.ts';
import { verifyAuditLog } from './verify-audit.ts';

let world: World;
let clock: ManualClock;
let uses: CredentialUses;
let id: string;
let isDown = false;

beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ id } = await world.application());
  clock = new ManualClock(world.clock.now());
  const db: Database = {
    ...world.platform.db,
    withSystem: (...call) => (isDown ? Promise.reject(new Error('down')) : world.platform.db.withSystem(...call)),
  };
  uses = credentialUses({ db, clock, log: silentLog });
});
afterEach(() => {
  isDown = false;
});

const use = (changes: Partial<CredentialUse> = {}): CredentialUse => ({
  log: { kind: 'application', id },
  outcome: 'used',
  actor: { kind: 'api_key', id: 'key1' },
  route: 'account.list',
  address: '192.0.2.1',
  ...changes,
});

async function written(): Promise<{ action: string; target: string; detail: Record<string, unknown> }[]> {
  return world.platform.db.withSystem('read a log in a test', (tx) =>
    tx.query(sql`
      select action, target, actor, detail from audit_entries where application_id = ${id} and action like 'credential.%' order by position, audit_id`),
  );
}

describe('S4: uses of credentials', () => {
  it('a first use is written at once, repetitions are summed up once a minute, with the first and the last', async () => {
    uses.record(use());
    await uses.flush();
    expect(await written()).toMatchObject([
      { action: 'credential.used', target: 'account.list', detail: { count: 1, address: '192.0.2.1' } },
    ]);
    for (let second = 0; second < 30; second++) {
      clock.advance(1_000);
      uses.record(use());
      await uses.flush();
    }
    expect(await written()).toHaveLength(1);
    clock.advance(30_000);
    await uses.flush();
    const start = world.clock.now();
    expect((await written())[1]).toMatchObject({
      detail: { count: 30, first: new Date(start + 1_000).toISOString(), last: new Date(start + 30_000).toISOString() },
    });
  });

  it('one that is found by the object of its credential counts like one that is spelt out, also after a quiet minute', async () => {
    const credential = {};
    const again = (route = 'account.list') => uses.recordOf(credential, route, '192.0.2.1', () => use({ route }));
    again();
    uses.record(use());
    again('account.get');
    await uses.flush();
    const counts = async () => (await written()).map(({ target, detail }) => `${target} ${String(detail['count'])}`).toSorted();
    expect(await counts()).toEqual(['account.get 1', 'account.list 2']);
    clock.advance(60_000);
    await uses.flush();
    again();
    await uses.flush();
    expect(await counts()).toEqual(['account.get 1', 'account.list 1', 'account.list 2']);
  });

  it('one that comes after a quiet minute is written at once again', async () => {
    uses.record(use());
    await uses.flush();
    clock.advance(60_000);
    await uses.flush();
    uses.record(use());
    await uses.flush();
    expect(await written()).toHaveLength(2);
  });

  it.each<[string, Partial<CredentialUse>]>([
    ['credential', { actor: { kind: 'api_key', id: 'key2' } }],
    ['token', { token: '0011' }],
    ['route', { route: 'account.get' }],
    ['address', { address: '192.0.2.2' }],
    ['outcome', { outcome: 'refused' }],
  ])('another %s is another entry', async (_title, changes) => {
    uses.record(use());
    uses.record(use(changes));
    await uses.flush();
    expect(await written()).toHaveLength(2);
  });

  it("stays in its tenant's log", async () => {
    const other = await world.application();
    uses.record(use());
    uses.record(use({ log: { kind: 'application', id: other.id } }));
    await uses.flush();
    expect(await written()).toHaveLength(1);
  });

  it('what is not written yet is written when the process closes', async () => {
    uses.record(use());
    await uses.flush();
    uses.record(use());
    await uses.close();
    expect(await written()).toHaveLength(2);
  });

  it('what could not be written is kept and written later, none lost and none twice', async () => {
    isDown = true;
    uses.record(use());
    await uses.flush();
    uses.record(use());
    expect(await written()).toEqual([]);
    isDown = false;
    await uses.flush();
    expect(await written()).toMatchObject([{ detail: { count: 2 } }]);
    await uses.close();
    expect(await written()).toHaveLength(1);
  });

  it('one of an Application that is gone is dropped and takes no other with it', async () => {
    uses.record(use({ log: { kind: 'application', id: 'appAAAAAAAAAAAAAAAAAAAAAA' } }));
    uses.record(use());
    await uses.flush();
    expect(await written()).toHaveLength(1);
  });

  it('a flood of addresses is told apart so far, then counted together: memory and log stay small', async () => {
    for (let at = 0; at < 5_000; at++) uses.record(use({ outcome: 'refused', address: `2001:db8::${at.toString(16)}` }));
    await uses.flush();
    const rows = await written();
    expect(rows).toHaveLength(51);
    expect(rows.reduce((sum, { detail }) => sum + Number(detail['count']), 0)).toBe(5_000);
    // Other tenants' refusals are still told apart.
    const other = await world.application();
    uses.record(use({ outcome: 'refused', log: { kind: 'application', id: other.id } }));
    await uses.flush();
    const [its] = await world.platform.db.withSystem('read a log in a test', (tx) =>
      tx.query<{ address: string }>(sql`
        select detail ->> 'address' as address from audit_entries where application_id = ${other.id} and action = 'credential.refused'`),
    );
    expect(its).toEqual({ address: '192.0.2.1' });
  });

  it('they are as well protected as any entry', async () => {
    uses.record(use({ token: 'abcd' }));
    await uses.flush();
    const log = { kind: 'application', id } as const;
    expect(await verifyAuditLog(world.platform.db, log)).toMatchObject({ finding: null, entries: 2 });
    await world.platform.db.withSystem('tamper in a test', (tx) =>
      tx.execute(
        sql`update audit_entries set detail = jsonb_set(detail, '{count}', '7') where application_id = ${id} and action = 'credential.used'`,
      ),
    );
    expect((await verifyAuditLog(world.platform.db, log))?.finding).not.toBe(null);
  });
});
