import { type ApplicationId, PlatformError, Secret, silentLog } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { taskWorker } from '../tasks/index.ts';
import { storeCredential } from '../vault/index.ts';
import {
  confirmAccount,
  connectAccount,
  type ConnectAccountInput,
  disconnectAccount,
  disconnectAllAccounts,
  findAccount,
  forgetUnconfirmedTask,
} from './index.ts';

let world: TenantWorld;
let application: ApplicationId;

beforeAll(async () => {
  world = await tenantWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  application = await world.application();
});

const db = () => world.database.database;

/** The end of a flow of `person`; answers what the code would carry. */
async function connected(person: string, fields: Partial<ConnectAccountInput> = {}): Promise<{ accountId: number; credentialId: string }> {
  return db().withTenant(application, async (tx) => {
    const tokens = { accessToken: new Secret(`access of ${person}`), kept: {} };
    const credentialId = await storeCredential(tx, world.vault, {
      applicationId: application,
      service: 'harbour',
      tokens,
      now: world.now(),
    });
    const { accountId } = await connectAccount(tx, {
      applicationId: application,
      service: 'harbour',
      identity: { id: person, name: `${person}@example.org` },
      credentialId,
      effectiveScope: 'harbour:normal.raw.default:kloudless',
      grantedScopes: ['files'],
      endUser: null,
      customProperties: null,
      reconnectAccountId: null,
      now: world.now(),
      ...fields,
    });
    return { accountId, credentialId };
  });
}

function confirm(pending: { accountId: number; credentialId: string }, applicationId = application): Promise<void> {
  return db().withTenant(applicationId, (tx) => confirmAccount(tx, { applicationId, ...pending, now: world.now() }));
}

const find = (accountId: number) => db().withTenant(application, (tx) => findAccount(tx, application, accountId));

async function credentials(): Promise<string[]> {
  const rows = await db().tenantQuery<{ credential_id: string }>(
    application,
    sql`select credential_id from credentials where application_id = ${application} order by created_at, credential_id`,
  );
  return rows.map((row) => row.credential_id);
}

async function taskNames(): Promise<string[]> {
  const rows = await db().tenantQuery<{ name: string }>(
    application,
    sql`select name from tasks where application_id = ${application} order by name`,
  );
  return rows.map((row) => row.name);
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof PlatformError ? error.code : String(error)),
  );
}

describe('a connection', () => {
  test('is invisible until it is confirmed, then live and healthy', async () => {
    const pending = await connected('ann', { endUser: 'user-1', customProperties: { plan: 'gold' } });
    expect(await find(pending.accountId)).toBeNull();
    await confirm(pending);
    expect(await find(pending.accountId)).toMatchObject({
      account: 'ann@example.org',
      identityId: 'ann',
      credentialId: pending.credentialId,
      health: 'healthy',
      active: true,
      endUser: 'user-1',
      customProperties: { plan: 'gold' },
      grantedScopes: ['files'],
    });
  });

  test('has an id that every JSON parser keeps and that tells nothing of the next', async () => {
    const ids: number[] = [];
    for (const person of ['a', 'b', 'c', 'd']) ids.push((await connected(person)).accountId);
    for (const id of ids) expect(Number.isSafeInteger(id) && id >= 1_000_000_000).toBe(true);
    const steps = ids.slice(1).map((id, at) => Math.abs(id - ids[at]!));
    expect(Math.min(...steps)).toBeGreaterThan(1_000);
  });

  test('is refused where its account would be one too many; one that is there is connected anew all the same', async () => {
    const ann = await connected('ann', { accountsMax: 1 });
    expect(await code(connected('ben', { accountsMax: 1 }))).toBe('account.limit');
    expect((await connected('ann', { accountsMax: 1 })).accountId).toBe(ann.accountId);
    // Control: with room for one more.
    expect(await code(connected('ben', { accountsMax: 2 }))).toBe('no error');
  });

  test('is confirmed once', async () => {
    const pending = await connected('ann');
    const ends = await Promise.all(Array.from({ length: 5 }, () => code(confirm(pending))));
    expect(ends.filter((end) => end === 'no error')).toHaveLength(1);
    expect(ends.filter((end) => end === 'account.not_pending')).toHaveLength(4);
  });

  test('is not confirmed by another Application, nor for another account, nor with another credential', async () => {
    const [ann, ben] = [await connected('ann'), await connected('ben')];
    expect(await code(confirm(ann, await world.application()))).toBe('account.not_pending');
    expect(await code(confirm({ ...ann, accountId: ben.accountId }))).toBe('account.not_pending');
    expect(await code(confirm({ ...ann, credentialId: ben.credentialId }))).toBe('account.not_pending');
    expect(await code(confirm(ann))).toBe('no error');
  });

  test('of the same person twice keeps the id; the live account is untouched until the second is confirmed', async () => {
    const first = await connected('ann', { endUser: 'user-1', customProperties: { plan: 'gold' } });
    await confirm(first);
    const second = await connected('ann', { customProperties: { seats: 3 }, grantedScopes: ['files', 'notes'] });
    expect(second.accountId).toBe(first.accountId);
    expect(await find(first.accountId)).toMatchObject({ credentialId: first.credentialId, grantedScopes: ['files'] });
    await confirm(second);
    expect(await find(first.accountId)).toMatchObject({
      credentialId: second.credentialId,
      grantedScopes: ['files', 'notes'],
      endUser: 'user-1',
      customProperties: { plan: 'gold', seats: 3 },
    });
    expect(await credentials()).toEqual([second.credentialId]);
    // The old tokens belong to the same grant at the provider: revoking them would end the new ones.
    expect(await taskNames()).not.toContain('vault.revoke_credential');
  });

  test('of two flows of one new person at the same moment makes one account', async () => {
    const both = await Promise.all([connected('ann'), connected('ann'), connected('ann')]);
    expect(new Set(both.map(({ accountId }) => accountId)).size).toBe(1);
    for (const pending of both) await confirm(pending);
    expect(await credentials()).toEqual([both[2]!.credentialId]);
  });

  test('of one person in two Applications makes two accounts that know nothing of each other', async () => {
    const first = await connected('ann');
    await confirm(first);
    application = await world.application();
    const second = await connected('ann');
    await confirm(second);
    expect(second.accountId).not.toBe(first.accountId);
    expect(await find(first.accountId)).toBeNull();
  });

  test('heals a broken account', async () => {
    const first = await connected('ann');
    await confirm(first);
    await db().withTenant(application, (tx) =>
      tx.execute(sql`update accounts set health = 'broken', broken_reason = 'invalid_grant' where application_id = ${application}`),
    );
    await confirm(await connected('ann'));
    expect(await find(first.accountId)).toMatchObject({ health: 'healthy', brokenReason: null });
  });
});

describe('C4: a reconnection', () => {
  test('by the same person keeps the account', async () => {
    const first = await connected('ann');
    await confirm(first);
    const again = await connected('ann', { reconnectAccountId: first.accountId });
    await confirm(again);
    expect(again.accountId).toBe(first.accountId);
  });

  test('by another person is refused and leaves nothing behind', async () => {
    const first = await connected('ann');
    await confirm(first);
    expect(await code(connected('ben', { reconnectAccountId: first.accountId }))).toBe('account.identity_mismatch');
    expect(await find(first.accountId)).toMatchObject({ identityId: 'ann', credentialId: first.credentialId });
    expect(await credentials()).toEqual([first.credentialId]);
    // Without the demand the same sign-in makes an account of its own.
    expect((await connected('ben')).accountId).not.toBe(first.accountId);
  });

  test('by an equal id at another service is refused', async () => {
    const first = await connected('ann');
    await confirm(first);
    expect(await code(connected('ann', { reconnectAccountId: first.accountId, service: 'other' }))).toBe('account.identity_mismatch');
  });

  test('of an account that was removed meanwhile is refused', async () => {
    const first = await connected('ann');
    await confirm(first);
    await db().withTenant(application, (tx) =>
      disconnectAccount(tx, { applicationId: application, accountId: first.accountId }, world.now()),
    );
    expect(await code(connected('ann', { reconnectAccountId: first.accountId }))).toBe('account.not_pending');
  });
});

describe('what nobody confirms', () => {
  const worker = () => taskWorker({ db: db(), tasks: [forgetUnconfirmedTask({ db: db() })], clock: world.clock, log: silentLog });

  test('is kept while a code may still come, then forgotten with its account and revoked', async () => {
    const pending = await connected('ann');
    await worker().runDue();
    expect(await credentials()).toEqual([pending.credentialId]);
    world.clock.advance(15 * 60_000);
    await worker().runDue();
    expect(await taskNames()).toEqual(['vault.revoke_credential']);
    const rows = await db().tenantQuery(application, sql`select 1 from accounts where application_id = ${application}`);
    expect(rows).toEqual([]);
    expect(await code(confirm(pending))).toBe('account.not_pending');
  });

  test('beside a live account is forgotten without revoking, because the account lives on that grant', async () => {
    const live = await connected('ann');
    await confirm(live);
    await connected('ann');
    world.clock.advance(15 * 60_000);
    await worker().runDue();
    expect(await credentials()).toEqual([live.credentialId]);
    expect(await taskNames()).toEqual([]);
    expect(await find(live.accountId)).toMatchObject({ credentialId: live.credentialId });
  });
});

describe('disconnecting', () => {
  test('ends tokens at once and leaves the sealed credentials, pending ones too, to be revoked', async () => {
    const live = await connected('ann');
    await confirm(live);
    await connected('ann');
    await db().withTenant(application, (tx) =>
      tx.execute(
        sql`insert into grants (application_id, grant_id, account_id, scope) values (${application}, 'grant', ${live.accountId}, 'any')`,
      ),
    );
    expect(
      await db().withTenant(application, (tx) =>
        disconnectAccount(tx, { applicationId: application, accountId: live.accountId }, world.now()),
      ),
    ).toBe(true);
    expect(await find(live.accountId)).toBeNull();
    expect(await db().tenantQuery(application, sql`select 1 from grants where application_id = ${application}`)).toEqual([]);
    expect((await taskNames()).filter((name) => name === 'vault.revoke_credential')).toHaveLength(2);
    expect(await credentials()).toHaveLength(2);
    expect(
      await db().withTenant(application, (tx) =>
        disconnectAccount(tx, { applicationId: application, accountId: live.accountId }, world.now()),
      ),
    ).toBe(false);
  });

  test('of all accounts of an Application leaves those of another', async () => {
    const other = application;
    const kept = await connected('ann');
    await confirm(kept);
    application = await world.application();
    await confirm(await connected('ann'));
    await confirm(await connected('ben'));
    await connected('cat');
    await db().withTenant(application, (tx) => disconnectAllAccounts(tx, application));
    expect(await db().tenantQuery(application, sql`select 1 from accounts where application_id = ${application}`)).toEqual([]);
    expect((await taskNames()).filter((name) => name === 'vault.revoke_credential')).toHaveLength(3);
    application = other;
    expect(await find(kept.accountId)).not.toBeNull();
    expect(await taskNames()).not.toContain('vault.revoke_credential');
  });

  test('writes no secret into a task', async () => {
    const live = await connected('ann');
    await confirm(live);
    await db().withTenant(application, (tx) =>
      disconnectAccount(tx, { applicationId: application, accountId: live.accountId }, world.now()),
    );
    const rows = await db().tenantQuery<{ payload: unknown }>(
      application,
      sql`select payload from tasks where application_id = ${application}`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain('access of');
  });
});
