import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@bulkhead/base';
import {
  ApplicationKeyFolder,
  claimKeys,
  EnvironmentKeys,
  FileKeys,
  keyStatus,
  rotateDataKeys,
  rotateRootKey,
  Vault,
} from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { createTwins, type FakeUpstream, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEverything } from './open-everything.ts';

const COLUMNS = [
  'app_installs.secret_sealed',
  'app_properties.value_sealed',
  'app_records.value_sealed',
  'authorization_transactions.code_verifier_sealed',
  'credentials.sealed',
  'function_install_variables.value_sealed',
  'function_invocations.logs_sealed',
  'function_jobs.payload_sealed',
  'function_stores.digest_key_sealed',
  'function_values.value_sealed',
  'function_webtrigger_secrets.previous_secret_sealed',
  'function_webtrigger_secrets.secret_sealed',
  'idempotency_keys.sealed_answer',
  'inbound_messages.payload_sealed',
  'inbound_webhooks.secondary_secret_sealed',
  'inbound_webhooks.secret_sealed',
  'oauth_keys.client_secret_sealed',
  'organization_idempotency_keys.sealed_answer',
  'webhooks.secret_sealed',
];

let folder: string;
let upstream: FakeUpstream;
let world: World;
let twins: Twins;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-keys-'));
  upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address], keys: await keysOfFolder(true) });
  twins = await createTwins(world, upstream);
  const headers = { authorization: `Bearer ${twins.victim.metaToken}`, 'idempotency-key': 'an-answer-with-a-key-in-it' };
  await world.call('POST', `/v1/meta/applications/${twins.victim.applicationId}/apikeys`, { headers });
}, 180_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The keys as a process reads them that has just been started. */
const keysOfFolder = (mayCreate = false) =>
  FileKeys.open({ dataDir: folder, mayCreate, applicationKeys: new ApplicationKeyFolder(join(folder, 'keys')) });
const db = () => world.database.database;
const parts = async () => ({ db: db(), vault: new Vault({ keys: await keysOfFolder(), clock: systemClock }) });
const everything = async () => openEverything(db(), await keysOfFolder());
const tokenOfAccount = (url = world.url) =>
  world.call('GET', `${url}/v1/accounts/${twins.victim.names.account}?retrieve_tokens=true`, {
    headers: { authorization: `APIKey ${twins.victim.apiKey}` },
  });

describe('before any rotation', () => {
  test('control: something is sealed in every column, and all of it opens', async () => {
    const { opened, closed } = await everything();
    expect([...new Set(opened)].sort()).toEqual(COLUMNS);
    expect(closed).toEqual([]);
  });
});

describe('V5: a rotation of the root key', () => {
  test('leaves everything open, nothing under the old key, and the old key nowhere in the data folder; running processes go on', async () => {
    const other = await world.beside();
    const before = await everything();
    const { current: from } = await keyStatus(db(), await keysOfFolder());
    const result = await rotateRootKey(await parts());
    expect(result).toMatchObject({ from, unreadable: [], retired: 'destroyed' });
    expect(result.rewrapped).toBeGreaterThan(3);
    expect((await everything()).opened).toEqual(before.opened);
    expect((await everything()).closed).toEqual([]);
    const status = await keyStatus(db(), await keysOfFolder());
    expect(status).toMatchObject({ current: result.to, previous: null, rotations: [], held: [result.to], openUnderRootKeyAlone: 0 });
    expect(status.dataKeysByRootKey.map(({ rootKeyId }) => rootKeyId)).toEqual([result.to]);
    expect((await readdir(folder)).sort()).toEqual(['keys', 'root.key']);
    // Neither process was told, and nothing that they remember is good any more.
    world.clock.advance(31_000);
    for (const url of [world.url, other.url]) expect((await tokenOfAccount(url)).json.token).toMatch(/^upstream-access-/);
    const made = await world.call('POST', `${other.url}/v1/meta/applications`, {
      headers: { authorization: `Bearer ${world.metaToken}` },
      body: { name: 'Made by a process that began with the old key' },
    });
    expect(made.status, made.text).toBe(201);
    expect((await keyStatus(db(), await keysOfFolder())).dataKeysByRootKey.map(({ rootKeyId }) => rootKeyId)).toEqual([result.to]);
  });

  test('with --keep-old the old key lies aside, and opens a dump from before', async () => {
    const { from } = await rotateRootKey(await parts(), { keepOld: true });
    expect(await readdir(folder)).toContain(`root.${from}.retired`);
    expect((await everything()).closed).toEqual([]);
  });

  test('is not finished while a data key cannot be opened: the old root key stays, and the Application is named', async () => {
    const { applicationId } = twins.sibling;
    const wrapped = await db().withSystem('spoil a data key in a test', async (tx) => {
      const { wrapped_key: good } = await tx.one<{ wrapped_key: Buffer }>(
        sql`select wrapped_key from data_keys where application_id = ${applicationId}`,
      );
      await tx.execute(sql`update data_keys set wrapped_key = ${randomBytes(good.byteLength)} where application_id = ${applicationId}`);
      return good;
    });
    const stuck = await rotateRootKey(await parts());
    expect(stuck).toMatchObject({ unreadable: [applicationId], retired: null });
    const held = (await keyStatus(db(), await keysOfFolder())).held;
    expect([...held].sort()).toEqual([stuck.from, stuck.to].sort());
    await db().withSystem('mend it', (tx) =>
      tx.execute(sql`update data_keys set wrapped_key = ${wrapped} where application_id = ${applicationId}`),
    );
    // The control: mended, the same rotation goes on to its end.
    expect(await rotateRootKey(await parts())).toMatchObject({ from: stuck.from, to: stuck.to, rewrapped: 1, retired: 'destroyed' });
    expect((await everything()).closed).toEqual([]);
  });
});

describe('V5: a rotation of data keys', () => {
  test('of one Application seals all of its secrets anew, deletes its old data key, and touches no other', async () => {
    const { applicationId } = twins.victim;
    const revision = () =>
      db().withSystem('test', (tx) =>
        tx.one<{ revision: number }>(sql`select revision from applications where application_id = ${applicationId}`),
      );
    const before = await revision();
    const result = await rotateDataKeys(await parts(), { applicationId });
    expect(result).toMatchObject({ applications: 1, unreadable: [], unfinished: [] });
    expect((await openEverything(db(), await keysOfFolder(), applicationId)).versions).toEqual(new Set([2]));
    expect((await openEverything(db(), await keysOfFolder(), twins.sibling.applicationId)).versions).toEqual(new Set([1]));
    expect((await everything()).closed).toEqual([]);
    // A change of keys is no change of settings: no clone lags behind its template by it.
    expect(await revision()).toEqual(before);
    const versions = await db().withSystem('test', (tx) =>
      tx.query<{ version: number }>(sql`select version from data_keys where application_id = ${applicationId}`),
    );
    expect(versions).toEqual([{ version: 2 }]);
    expect((await tokenOfAccount()).json.token).toMatch(/^upstream-access-/);
  });

  test('of all of them leaves one data key each, made since', async () => {
    const { applications } = await keyStatus(db(), await keysOfFolder());
    const result = await rotateDataKeys(await parts());
    expect(result).toMatchObject({ applications, unreadable: [], unfinished: [] });
    const status = await keyStatus(db(), await keysOfFolder());
    expect(status).toMatchObject({ dataKeys: applications, withOlderVersions: 0, rotations: [] });
    expect((await everything()).closed).toEqual([]);
    expect([...new Set((await everything()).opened)].sort()).toEqual(COLUMNS);
  });

  test('keeps an older version as long as something is sealed under it that nobody can open, and names it', async () => {
    const { applicationId, names } = twins.stranger;
    const spoil = (value: Buffer) =>
      db().withSystem('spoil a value in a test', (tx) =>
        tx.execute(
          sql`update webhooks set secret_sealed = ${value} where application_id = ${applicationId} and webhook_id = ${names.webhook}`,
        ),
      );
    const { secret_sealed: good } = await db().withSystem('test', (tx) =>
      tx.one<{ secret_sealed: Buffer }>(
        sql`select secret_sealed from webhooks where application_id = ${applicationId} and webhook_id = ${names.webhook}`,
      ),
    );
    await spoil(Buffer.concat([good.subarray(0, 4), randomBytes(good.byteLength - 4)]));
    const stuck = await rotateDataKeys(await parts(), { applicationId });
    expect(stuck.unfinished).toEqual([applicationId]);
    expect(stuck.unreadable).toEqual([`${applicationId}: webhooks.secret_sealed ${names.webhook}`]);
    await spoil(good);
    expect(await rotateDataKeys(await parts(), { applicationId })).toMatchObject({ unfinished: [], unreadable: [] });
    expect((await everything()).closed).toEqual([]);
  });

  test('an Application that does not exist is refused', async () => {
    const applicationId = `app${'0'.repeat(22)}` as typeof twins.victim.applicationId;
    await expect(rotateDataKeys(await parts(), { applicationId })).rejects.toMatchObject({ code: 'keys.unknown_application' });
  });
});

describe('V5: under load, on two processes', () => {
  test('neither rotation lets a call fail, and what is written meanwhile opens afterwards', async () => {
    const other = await world.beside();
    const { apiKey, applicationId, metaToken, names } = twins.victim;
    let running = true;
    let calls = 0;
    const failures: string[] = [];
    const check = (answer: { status: number; text: string }, ...expected: number[]) => {
      calls += 1;
      if (!expected.includes(answer.status)) failures.push(`${answer.status} ${answer.text}`);
    };
    const key = { authorization: `APIKey ${apiKey}` };
    const readers = [world.url, other.url].map(async (url) => {
      while (running) check(await world.call('GET', `${url}/v1/accounts/${names.account}/proxy/files`, { headers: key }), 200);
    });
    const writers = [world.url, other.url].map(async (url, index) => {
      for (let turn = 0; running; turn++) {
        // A new credential, a new webhook secret, a new Application: sealed and wrapped while the keys change.
        const imported = { service: 'dropbox', account: `writer-${index}-${turn}`, token: `token-${index}-${turn}` };
        check(
          await world.call('POST', `${url}/v1/accounts`, { headers: { ...key, 'idempotency-key': `w${index}-${turn}` }, body: imported }),
          201,
        );
        const meta = { authorization: `Bearer ${metaToken}` };
        check(
          await world.call('POST', `${url}/v1/meta/applications/${applicationId}/webhooks/${names.webhook}/rotate_secret`, {
            headers: meta,
          }),
          200,
          201,
        );
        if (turn % 5 === 0)
          check(
            await world.call('POST', `${url}/v1/meta/applications`, {
              headers: { ...meta, 'idempotency-key': `m${index}-${turn}` },
              body: { name: 'x', source: applicationId },
            }),
            201,
          );
        world.clock.advance(400);
      }
    });
    for (let turn = 0; turn < 2; turn++) {
      expect(await rotateRootKey(await parts(), { batch: 3 })).toMatchObject({ retired: 'destroyed' });
      expect(await rotateDataKeys(await parts(), { batch: 2 })).toMatchObject({ unfinished: [], unreadable: [] });
    }
    running = false;
    await Promise.all([...readers, ...writers]);
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(20);
    expect((await everything()).closed).toEqual([]);
    const status = await keyStatus(db(), await keysOfFolder());
    expect(status.dataKeysByRootKey.map(({ rootKeyId }) => rootKeyId)).toEqual([status.current]);
  }, 120_000);
});

describe('V5: root keys given by the environment', () => {
  test('rotate once both are given everywhere; before the switch everybody goes on under the old, after it the old one alone is refused', async () => {
    const [old, next] = [randomBytes(32), randomBytes(32)];
    await using own = await World.create({ keys: new EnvironmentKeys([old]) });
    const { id } = await own.application({ oauth_keys: [{ service: 'github', client_id: 'c', client_secret: 's' }] });
    const there = own.database.database;
    const both = new EnvironmentKeys([next, old]);
    const vault = (keys: EnvironmentKeys) => new Vault({ keys, clock: systemClock });
    // The old one alone has nowhere to go.
    await expect(rotateRootKey({ db: there, vault: vault(new EnvironmentKeys([old])) })).rejects.toMatchObject({
      code: 'keys.no_new_root_key',
    });
    // A process that was given both already wraps under the old one: others know no other yet.
    expect(await claimKeys(there, both, new Date())).toBe(null);
    expect((await keyStatus(there, both)).current).toBe((await new EnvironmentKeys([old]).rootKeyIds())[0]);
    expect(await rotateRootKey({ db: there, vault: vault(both) })).toMatchObject({ retired: 'with the operator', unreadable: [] });
    expect(await claimKeys(there, new EnvironmentKeys([old]), new Date())).toBe('another root key');
    expect(await claimKeys(there, new EnvironmentKeys([next]), new Date())).toBe(null);
    expect((await openEverything(there, new EnvironmentKeys([next]), id)).closed).toEqual([]);
    expect((await openEverything(there, new EnvironmentKeys([old]), id)).opened).toEqual([]);
  });

  test('a process with one of the two keys does not start while a rotation is under way, one with both does', async () => {
    const [old, next] = [randomBytes(32), randomBytes(32)];
    await using own = await World.create({ keys: new EnvironmentKeys([old]) });
    await own.application();
    const there = own.database.database;
    const half = rotateRootKey(
      { db: there, vault: new Vault({ keys: new EnvironmentKeys([next, old]), clock: systemClock }) },
      {
        report: (step) => {
          if (step === 'switched') throw new Error('killed here');
        },
      },
    );
    await expect(half).rejects.toThrow('killed here');
    for (const key of [old, next]) expect(await claimKeys(there, new EnvironmentKeys([key]), new Date())).toBe('half of a rotation');
    expect(await claimKeys(there, new EnvironmentKeys([next, old]), new Date())).toBe(null);
    await expect(
      rotateRootKey({ db: there, vault: new Vault({ keys: new EnvironmentKeys([randomBytes(32), old]), clock: systemClock }) }),
    ).rejects.toMatchObject({
      code: 'keys.rotation_key_missing',
    });
    expect(
      await rotateRootKey({ db: there, vault: new Vault({ keys: new EnvironmentKeys([next, old]), clock: systemClock }) }),
    ).toMatchObject({ rewrapped: 1 });
  });
});
