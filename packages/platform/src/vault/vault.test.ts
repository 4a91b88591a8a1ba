import { randomBytes } from 'node:crypto';
import { type ApplicationId, Secret } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tenantWorld, type TenantWorld } from '../../test/tenant-world.ts';
import { EnvironmentKeys } from './environment-keys.ts';
import { type Place, Vault } from './vault.ts';

let world: TenantWorld;
let own: ApplicationId;
let other: ApplicationId;
beforeAll(async () => {
  world = await tenantWorld();
  own = await world.application();
  other = await world.application();
});
afterAll(() => world[Symbol.asyncDispose]());

const inSystem = <T>(work: (tx: Tx) => Promise<T>) => world.database.database.withSystem('test', work);
const here = (): Place => ({ applicationId: own, table: 'credentials', column: 'sealed', row: 'crd1', version: 3 });
const sealHere = () => inSystem((tx) => world.vault.seal(tx, here(), new Secret('an upstream token')));
const openAt = async (place: Place, sealed: Uint8Array) => (await inSystem((tx) => world.vault.open(tx, place, sealed))).reveal();
const unreadable = { code: 'vault.unreadable', publicText: 'A stored secret cannot be opened. The operator must look at the root key.' };

describe('V3: a sealed value', () => {
  test('that was sealed beside others opens at its own place only, and none is sealed for another Application', async () => {
    const seal = (place: Place) => inSystem(async (tx) => (await world.vault.sealer(tx, own))(place, new Secret('an upstream token')));
    const sealed = await seal(here());
    expect(await openAt(here(), sealed)).toBe('an upstream token');
    await expect(openAt({ ...here(), row: 'crd2' }, sealed)).rejects.toMatchObject(unreadable);
    await expect(seal({ ...here(), applicationId: other })).rejects.toThrow('its own Application');
  });

  test('control: opens in its own place', async () => {
    expect(await openAt(here(), await sealHere())).toBe('an upstream token');
  });

  test.each<[string, () => Partial<Place>]>([
    ['another tenant', () => ({ applicationId: other })],
    ['another table', () => ({ table: 'oauth_keys' })],
    ['another column', () => ({ column: 'secret_sealed' })],
    ['another row', () => ({ row: 'crd2' })],
    ['a row with a like name', () => ({ row: 'crd1|' })],
    ['a newer version of the row', () => ({ version: 4 })],
    ['an older version of the row', () => ({ version: 2 })],
    ['a column and row that read alike together', () => ({ column: 'sealed|crd1', row: '' })],
  ])('does not open as that of %s', async (_what, changed) => {
    const sealed = await sealHere();
    await expect(openAt({ ...here(), ...changed() }, sealed)).rejects.toMatchObject(unreadable);
    expect(await openAt(here(), sealed)).toBe('an upstream token');
  });

  test('does not open under another version of the data key, whether it exists or not', async () => {
    const sealed = await sealHere();
    await inSystem((tx) => world.vault.createDataKey(tx, own));
    for (const version of [0, 2, 3, 2 ** 32 - 1]) {
      const turned = Buffer.from(sealed);
      turned.writeUInt32BE(version);
      await expect(openAt(here(), turned), `version ${version}`).rejects.toMatchObject(unreadable);
    }
    // The control: the newest version seals what comes now, and what was sealed before opens all the same.
    expect((await sealHere()).readUInt32BE()).toBe(2);
    expect(await openAt(here(), sealed)).toBe('an upstream token');
  });

  test('does not open with its tag or anything else of it cut, at any length', async () => {
    const sealed = await sealHere();
    for (let length = 0; length < sealed.byteLength; length++)
      await expect(openAt(here(), sealed.subarray(0, length)), `${length} bytes`).rejects.toMatchObject(unreadable);
    expect(await openAt(here(), sealed)).toBe('an upstream token');
  });

  test('does not open with the keys of another installation, and nothing is wrapped by a root key that was not claimed', async () => {
    const sealed = await sealHere();
    const stranger = new Vault({ keys: new EnvironmentKeys([randomBytes(32)]), clock: world.clock });
    await expect(inSystem((tx) => stranger.open(tx, here(), sealed))).rejects.toMatchObject(unreadable);
    await expect(inSystem((tx) => stranger.createDataKey(tx, other))).rejects.toMatchObject(unreadable);
  });
});

describe('V3: a wrapped data key', () => {
  test('does not unwrap in the row of another version or tenant', async () => {
    const id = await world.application();
    const place = { ...here(), applicationId: id };
    const sealed = await inSystem((tx) => world.vault.seal(tx, place, new Secret('text')));
    const open = (vault: Vault) => inSystem((tx) => vault.open(tx, place, sealed));
    const fresh = () => new Vault({ keys: world.vault.keys, clock: world.clock });
    const { wrapped_key: good } = await inSystem((tx) =>
      tx.one<{ wrapped_key: Buffer }>(sql`select wrapped_key from data_keys where application_id = ${id}`),
    );
    const { wrapped_key: foreign } = await inSystem((tx) =>
      tx.one<{ wrapped_key: Buffer }>(sql`select wrapped_key from data_keys where application_id = ${other} and version = 1`),
    );
    const put = (wrapped: Buffer) =>
      inSystem((tx) => tx.execute(sql`update data_keys set wrapped_key = ${wrapped} where application_id = ${id}`));
    await put(foreign);
    await expect(open(fresh())).rejects.toMatchObject(unreadable);
    await put(good);
    expect((await open(fresh())).reveal()).toBe('text');
    await inSystem((tx) => tx.execute(sql`update data_keys set version = 7 where application_id = ${id}`));
    const renamed = Buffer.from(sealed);
    renamed.writeUInt32BE(7);
    await expect(inSystem((tx) => fresh().open(tx, place, renamed))).rejects.toMatchObject(unreadable);
  });
});

describe('V5: a version that something is being sealed under', () => {
  test('waits for its transaction before it can be deleted: what was sealed is seen', async () => {
    const id = await world.application();
    const sealing = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    let deleted = false;
    const sealed = inSystem(async (tx) => {
      const value = await world.vault.seal(tx, { ...here(), applicationId: id }, new Secret('text'));
      sealing.resolve();
      await mayEnd.promise;
      return value;
    });
    await sealing.promise;
    const deletion = inSystem((tx) => tx.execute(sql`delete from data_keys where application_id = ${id}`)).then(() => (deleted = true));
    // It has reached the row and waits there: PostgreSQL says so.
    await expect
      .poll(
        () =>
          inSystem(
            async (tx) => (await tx.query(sql`select 1 from pg_locks where not granted and locktype in ('transactionid', 'tuple')`)).length,
          ),
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    expect(deleted).toBe(false);
    mayEnd.resolve();
    await sealed;
    await deletion;
    expect(deleted).toBe(true);
  });
});
