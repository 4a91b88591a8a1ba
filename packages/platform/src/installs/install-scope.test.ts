import { type ApplicationId } from '@bulkhead/base';
import { sql, type TenantTx } from '@bulkhead/postgres';
import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetUninstalled } from './forget-uninstalled.ts';
import { enterInstall } from './install-scope.ts';

const apps: FakeApp[] = [];
let world: World;
const applications: ApplicationId[] = [];
/** `appKey applicationId` to clientKey and secret. */
const known = new Map<string, { clientKey: string; sharedSecret: string }>();

beforeAll(async () => {
  apps.push(await startFakeApp({ key: 'notes' }), await startFakeApp({ key: 'clocks' }));
  world = await World.create({ egressAllow: apps.map(({ address }) => address) });
  for (let made = 0; made < 2; made++) applications.push((await world.application()).id as ApplicationId);
  for (const app of apps) {
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    for (const applicationId of applications) {
      const { json } = await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: app.key });
      known.set(`${app.key} ${applicationId}`, { clientKey: json.client_key, sharedSecret: app.calls.at(-1)!.body.sharedSecret });
    }
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  for (const app of apps) await app[Symbol.asyncDispose]();
});

const propertyPath = (applicationId: string, appKey: string, name: string) =>
  `/t/${applicationId}/rest/atlassian-connect/1/addons/${appKey}/properties/${name}`;

/** A call that the App `by` makes with its secret of the Application `of`, wherever it leads. */
function call(by: string, of: string, method: string, path: string, body?: unknown) {
  const token = appToken({ appKey: by, ...known.get(`${by} ${of}`)! }, { method, path, now: world.clock.now() });
  return world.call(method, path, { headers: { authorization: `JWT ${token}` }, ...(body === undefined ? {} : { body }) });
}

describe('what an App keeps', () => {
  test('it finds again; another App of the same Application, and itself in another one, find nothing', async () => {
    const [first, second] = applications as [ApplicationId, ApplicationId];
    const path = propertyPath(first, 'notes', 'note');
    expect((await call('notes', first, 'PUT', path, { text: 'mine' })).status).toBe(201);
    expect((await call('notes', first, 'GET', path)).json.value).toEqual({ text: 'mine' });
    // Another App: at its own address there is nothing, at the other's nothing that it may know of.
    expect((await call('clocks', first, 'GET', propertyPath(first, 'clocks', 'note'))).status).toBe(404);
    // Also where it has something of that name itself.
    expect((await call('clocks', first, 'PUT', path, 'mine too')).status).toBe(404);
    const own = propertyPath(first, 'clocks', 'note');
    expect((await call('clocks', first, 'PUT', own, '"mine too"')).status).toBe(201);
    expect((await call('clocks', first, 'GET', path)).status).toBe(404);
    expect((await call('clocks', first, 'DELETE', path)).status).toBe(404);
    // The same App in another Application; and with the secret of the one at the address of the other.
    expect((await call('notes', second, 'GET', propertyPath(second, 'notes', 'note'))).status).toBe(404);
    expect((await call('notes', second, 'GET', path)).status).toBe(401);
    expect((await call('notes', first, 'GET', propertyPath(second, 'notes', 'note'))).status).toBe(401);
    expect((await call('notes', first, 'GET', path)).json.value).toEqual({ text: 'mine' });
    expect((await call('clocks', first, 'DELETE', own)).status).toBe(204);
  });

  test('is any JSON of bounded size, listed by key, and gone when it is deleted', async () => {
    const [, second] = applications as [ApplicationId, ApplicationId];
    const list = propertyPath(second, 'notes', '').slice(0, -1);
    for (const [name, value] of Object.entries({ text: 'a', number: 1.5, nothing: null, list: [1, { two: 2 }] })) {
      expect((await call('notes', second, 'PUT', `${list}/${name}`, JSON.stringify(value))).status).toBe(201);
      expect((await call('notes', second, 'GET', `${list}/${name}`)).json).toMatchObject({ key: name, value });
    }
    expect((await call('notes', second, 'GET', list)).json.keys).toHaveLength(4);
    expect((await call('notes', second, 'PUT', `${list}/text`, '"b"')).json).toEqual({ message: 'Property updated.', statusCode: 200 });
    expect((await call('notes', second, 'PUT', `${list}/bad`, '{')).status).toBe(400);
    expect((await call('notes', second, 'PUT', `${list}/long`, JSON.stringify('x'.repeat(32_767)))).status).toBe(400);
    expect((await call('notes', second, 'PUT', `${list}/${'k'.repeat(128)}`, '1')).status).toBe(400);
    expect((await call('notes', second, 'DELETE', `${list}/text`)).status).toBe(204);
    expect((await call('notes', second, 'GET', `${list}/text`)).status).toBe(404);
  });
});

describe('what is over', () => {
  test('is there again where the App is installed again within 30 days, and gone after', async () => {
    const { id } = await world.application();
    const again = async () => {
      const { json } = await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
      known.set(`notes ${id}`, { clientKey: json.client_key, sharedSecret: apps[0]!.calls.at(-1)!.body.sharedSecret });
      return json.client_key as string;
    };
    const path = propertyPath(id, 'notes', 'note');
    const first = await again();
    await call('notes', id, 'PUT', path, '1');
    const uninstalled = async (days: number) => {
      await world.meta('DELETE', `/applications/${id}/installs/notes`);
      world.clock.advance(days * 86_400_000);
      await forgetUninstalled(world.platform.db, new Date(world.clock.now()));
    };
    await uninstalled(29);
    expect(await again()).toBe(first);
    expect((await call('notes', id, 'GET', path)).json.value).toBe(1);
    await uninstalled(31);
    expect(await again()).not.toBe(first);
    expect((await call('notes', id, 'GET', path)).status).toBe(404);
    // What is installed stays, however old.
    expect((await world.meta('GET', `/applications/${applications[0]}/installs`)).json.objects).toHaveLength(2);
  });
});

describe('the policy of the install', () => {
  const count = (tx: TenantTx) => tx.one<{ count: number }>(sql`select count(*) as count from app_properties`);

  test('shows the rows of the install that was entered, and of no other, whatever the statement forgets', async () => {
    const [first] = applications as [ApplicationId];
    const { db } = world.platform;
    const seen = async (appKey: string) =>
      db.withTenant(first, async (tx) => {
        await enterInstall(tx, known.get(`${appKey} ${first}`)!.clientKey);
        return (await count(tx)).count;
      });
    expect([await seen('notes'), await seen('clocks')]).toEqual([1, 0]);
    // Without having entered one there is nothing to be had, not everything.
    const without = await db.withTenant(first, count).catch(() => ({ count: 0 }));
    expect(without.count).toBe(0);
    // Control: the system role, which the policy is not for, sees the row.
    expect(
      await db.withSystem('count in a test', (tx) => tx.query(sql`select 1 from app_properties where application_id = ${first}`)),
    ).toHaveLength(1);
  });

  test('lets no row be written for another install, nor for one that there is not', async () => {
    const [first] = applications as [ApplicationId];
    const mine = known.get(`clocks ${first}`)!.clientKey;
    for (const other of [known.get(`notes ${first}`)!.clientKey, 'ins0000000000000000000000']) {
      const write = world.platform.db.withTenant(first, async (tx) => {
        await enterInstall(tx, mine);
        await tx.execute(sql`
          insert into app_properties (application_id, client_key, property_key, value_sealed, created_at, modified_at)
          values (${first}, ${other}, 'slipped', ${Buffer.from('x')}, now(), now())`);
      });
      await expect(write).rejects.toThrow();
    }
    // A clientKey is a foreign key: one that was entered and is not there takes no row either.
    const nobody = world.platform.db.withTenant(first, async (tx) => {
      await enterInstall(tx, 'ins0000000000000000000000');
      await tx.execute(sql`
        insert into app_properties (application_id, client_key, property_key, value_sealed, created_at, modified_at)
        values (${first}, 'ins0000000000000000000000', 'slipped', ${Buffer.from('x')}, now(), now())`);
    });
    await expect(nobody).rejects.toThrow();
  });
});
