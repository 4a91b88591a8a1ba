import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@bulkhead/base';
import { ApplicationKeyFolder, EnvironmentKeys, FileKeys, type KeyService, keyStatus, rotateRootKey, Vault } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { createTwins, type FakeUpstream, startFakeUpstream, type TestDatabase, type Twin, type Twins, World } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEverything } from './open-everything.ts';

let folder: string;
let upstream: FakeUpstream;
let world: World;
let twins: Twins;
const copies: TestDatabase[] = [];

const keysOfFolder = (mayCreate = false) =>
  FileKeys.open({ dataDir: folder, mayCreate, applicationKeys: new ApplicationKeyFolder(join(folder, 'keys')) });

async function begin(keys: KeyService): Promise<void> {
  upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address], keys });
  twins = await createTwins(world, upstream);
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-deleted-'));
});
afterEach(async () => {
  for (const copy of copies.splice(0)) await copy.close();
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A dump of now, restored beside. */
async function dump(): Promise<TestDatabase> {
  const copy = await world.database.copy();
  copies.push(copy);
  return copy;
}

const remove = async (twin: Twin) =>
  expect(
    (await world.call('DELETE', `/v1/meta/applications/${twin.applicationId}`, { headers: { authorization: `Bearer ${twin.metaToken}` } }))
      .status,
  ).toBe(204);

/** Lets a worker run for as much of a minute as it needs; answers how many seconds it took until nothing of the Application was left. */
async function secondsUntilGone(twin: Twin, platform = world.platform): Promise<number> {
  for (let seconds = 0; seconds <= 60; seconds += 2) {
    await platform.runDueTasks();
    if ((await rowsOf(twin)).length === 0) return seconds;
    world.clock.advance(2_000);
  }
  throw new Error(`after a minute there is still: ${(await rowsOf(twin)).join(', ')}`);
}

/** The tables that hold a row of the Application; a partition's rows are its parent's. */
async function rowsOf({ applicationId }: Twin): Promise<string[]> {
  return world.platform.db.withSystem('look for rows in a test', async (tx) => {
    const tables = await tx.query<{ name: string }>(sql`
      select relname as name from pg_class join pg_attribute on attrelid = pg_class.oid
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and attname = 'application_id' order by 1`);
    const found: string[] = [];
    for (const { name } of tables)
      if ((await tx.maybe(sql`select 1 from ${sql.identifier(name)} where application_id = ${applicationId} limit 1`)) !== null)
        found.push(name);
    return found;
  });
}

/** Every credential of the twin that is worth something, and what it is answered. */
async function worth(twin: Twin, url: string): Promise<Record<string, number>> {
  const { names, apiKey, applicationId } = twin;
  const status = async (method: string, path: string, authorization: string, body?: Record<string, string>) =>
    (
      await world.call(method, `${url}${path}`, {
        headers: { authorization },
        ...(body === undefined ? {} : { body: new URLSearchParams(body) }),
      })
    ).status;
  return {
    'API key': await status('GET', '/v1/accounts', `APIKey ${apiKey}`),
    'access token': await status('GET', '/v1/accounts/me', `Bearer ${names.access_token}`),
    'access token at the upstream': await status('GET', '/v1/accounts/me/proxy/files', `Bearer ${names.access_token}`),
    'token of another account': await status('GET', '/v1/accounts/me', `Bearer ${names.second_access_token}`),
    introspection: (
      await world.call('POST', `${url}/v1/oauth/introspect`, {
        headers: { authorization: `APIKey ${apiKey}` },
        body: new URLSearchParams({ token: names.access_token }),
      })
    ).status,
    'connect page': (
      await world.call('GET', `${url}/v1/oauth?client_id=${applicationId}&request_uri=${encodeURIComponent(names.request_uri)}`)
    ).status,
    'open flow': (await world.call('GET', `${url}/v1/oauth/flows/${names.transaction}`, { headers: { cookie: twin.cookie } })).status,
    'Meta API': (
      await world.call('GET', `${url}/v1/meta/applications/${applicationId}`, { headers: { authorization: `Bearer ${twin.metaToken}` } })
    ).status,
  };
}
const dead = {
  'API key': 401,
  'access token': 401,
  'access token at the upstream': 401,
  'token of another account': 401,
  introspection: 401,
  'Meta API': 404,
};

describe('T6: a deleted Application', () => {
  test('is worth nothing in any process from the commit on, has its upstream tokens revoked, and is gone with its key within a minute', async () => {
    await begin(await keysOfFolder(true));
    const { victim } = twins;
    const other = await world.beside();
    // Both processes have used everything a moment ago: what they remember is as fresh as it can be.
    for (const url of [world.url, other.url])
      expect(await worth(victim, url)).toMatchObject({
        'API key': 200,
        'access token': 200,
        'access token at the upstream': 200,
        introspection: 200,
        'Meta API': 200,
      });
    const files = async () =>
      (await readdir(join(folder, 'keys'), { recursive: true })).filter((name) => name.includes(victim.applicationId));
    expect(await files()).toHaveLength(1);
    const asked = upstream.requests.length;
    await remove(victim);
    for (const url of [other.url, world.url]) expect(await worth(victim, url)).toMatchObject(dead);
    expect(await secondsUntilGone(victim, other.platform)).toBeLessThanOrEqual(60);
    expect(await files()).toEqual([]);
    const revoked = upstream.requests
      .slice(asked)
      .filter(({ path }) => path === '/revoke')
      .map(({ body }) => new URLSearchParams(body).get('token'));
    expect(revoked.length).toBeGreaterThan(0);
    for (const token of revoked) expect(upstream.issued).toContain(token);
    // Its tokens would have to be renewed by now; nobody asks for it, and the others are as they were.
    const revocations = upstream.requests.length;
    world.clock.advance(3_600_000);
    for (const url of [world.url, other.url]) expect(await worth(victim, url)).toMatchObject(dead);
    expect(upstream.requests.slice(revocations)).toEqual([]);
    expect(await worth(twins.sibling, other.url)).toMatchObject({ 'API key': 200, 'Meta API': 200 });
  }, 120_000);

  test('is destroyed although its upstream is down, after the revocation was tried again and again', async () => {
    await begin(await keysOfFolder(true));
    const { victim } = twins;
    await remove(victim);
    await twins[Symbol.asyncDispose]();
    const attempts = async () =>
      world.platform.db.withSystem('look at tasks in a test', (tx) =>
        tx.query<{ attempts: number }>(sql`
          select attempts from tasks where application_id = ${victim.applicationId} and name = 'vault.revoke_credential' order by attempts desc`),
      );
    let most = 0;
    for (let seconds = 0; (await rowsOf(victim)).length > 0; seconds += 2) {
      await world.platform.runDueTasks();
      most = Math.max(most, (await attempts())[0]?.attempts ?? 0);
      world.clock.advance(2_000);
      if (seconds > 60) throw new Error(`still there: ${(await rowsOf(victim)).join(', ')}`);
    }
    expect(most).toBeGreaterThanOrEqual(3);
    expect(await new ApplicationKeyFolder(join(folder, 'keys')).has(victim.applicationId, 'any')).toBe(false);
  }, 120_000);

  test('cannot be read in a dump from before, with the keys of today; the others in it can', async () => {
    await begin(await keysOfFolder(true));
    const { victim, sibling } = twins;
    // The organization keeps an answer that shows a key of the Application.
    const headers = { authorization: `Bearer ${victim.metaToken}`, 'idempotency-key': 'shown-once' };
    expect((await world.call('POST', `/v1/meta/applications/${victim.applicationId}/apikeys`, { headers })).status).toBe(201);
    const old = await dump();
    const control = await openEverything(old.database, await keysOfFolder(), victim.applicationId);
    expect(control.closed).toEqual([]);
    expect(control.opened).toContain('organization_idempotency_keys.sealed_answer');
    expect(control.opened.length).toBeGreaterThan(5);
    await remove(victim);
    await secondsUntilGone(victim);
    const today = await keysOfFolder();
    const left = await openEverything(old.database, today, victim.applicationId);
    expect(left.opened).toEqual([]);
    expect(left.closed).toHaveLength(control.opened.length);
    expect((await openEverything(old.database, today, sibling.applicationId)).closed).toEqual([]);
    expect(await keyStatus(world.platform.db, today)).toMatchObject({ awaiting: [] });
  }, 120_000);

  test('where there is no key folder, is readable in a dump from before until the root key is rotated: said in the log and the status', async () => {
    const [old, next] = [randomBytes(32), randomBytes(32)];
    await begin(new EnvironmentKeys([old]));
    const { victim, sibling } = twins;
    const before = await dump();
    await remove(victim);
    await secondsUntilGone(victim);
    const today = new EnvironmentKeys([old]);
    const [rootKeyId] = await today.rootKeyIds();
    // The control of the test above: without a key of its own, the deletion alone does not reach the dump.
    expect((await openEverything(before.database, today, victim.applicationId)).opened.length).toBeGreaterThan(5);
    expect(await keyStatus(world.platform.db, today)).toMatchObject({ awaiting: [{ rootKeyId, deletions: 1 }] });
    const erased = await world.platform.db.withControl('read the log in a test', (tx) =>
      tx.one<{ detail: Record<string, unknown> }>(sql`
        select detail from organization_audit_entries where target = ${victim.applicationId} and action = 'application.erased'`),
    );
    expect(erased.detail).toMatchObject({ opens_in_old_dumps_under_root_keys: [rootKeyId] });
    const both = new EnvironmentKeys([next, old]);
    expect(await rotateRootKey({ db: world.platform.db, vault: new Vault({ keys: both, clock: systemClock }) })).toMatchObject({
      completedDeletions: 1,
    });
    const alone = new EnvironmentKeys([next]);
    expect((await openEverything(before.database, alone, victim.applicationId)).opened).toEqual([]);
    expect((await openEverything(world.platform.db, alone, sibling.applicationId)).closed).toEqual([]);
    expect(await keyStatus(world.platform.db, alone)).toMatchObject({ awaiting: [] });
  }, 120_000);
});

describe('data from before there was a key folder', () => {
  test('opens as before; a rotation of the root key gives each Application a key of its own', async () => {
    const root = randomBytes(32);
    await begin(new EnvironmentKeys([root]));
    const before = await openEverything(world.platform.db, new EnvironmentKeys([root]));
    const withFolder = new EnvironmentKeys([root], new ApplicationKeyFolder(join(folder, 'keys')));
    expect((await openEverything(world.platform.db, withFolder)).opened).toEqual(before.opened);
    expect((await keyStatus(world.platform.db, withFolder)).openUnderRootKeyAlone).toBeGreaterThan(3);
    const next = new EnvironmentKeys([randomBytes(32), root], new ApplicationKeyFolder(join(folder, 'keys')));
    await rotateRootKey({ db: world.platform.db, vault: new Vault({ keys: next, clock: systemClock }) });
    expect((await openEverything(world.platform.db, next)).opened).toEqual(before.opened);
    expect((await keyStatus(world.platform.db, next)).openUnderRootKeyAlone).toBe(0);
    // The control: the root key alone opens none of it any more.
    const alone = new EnvironmentKeys([randomBytes(32), root]);
    expect((await openEverything(world.platform.db, alone)).opened).toEqual([]);
  }, 120_000);
});
