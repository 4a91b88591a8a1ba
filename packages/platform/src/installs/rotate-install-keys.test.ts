import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { readConnectJwt } from '@bulkhead/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resealInstallKeys } from './install-key-store.ts';
import { rotateInstallKeys } from './rotate-install-keys.ts';

let app: FakeApp;
let world: World;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** The kid that signed an install which was made just now. */
async function signedBy(): Promise<string> {
  const { id } = await world.application();
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' })).status).toBe(201);
  const read = readConnectJwt(app.calls.findLast(({ path }) => path === '/installed')!.authorization!.slice(4));
  if ('refused' in read) throw new Error(read.refused);
  return read.header.kid!;
}
const shown = async (kid: string) => (await world.call('GET', `/keys/${kid}`)).status;
const rotate = (leaked: boolean) => rotateInstallKeys(world.platform, { leaked, now: new Date(world.clock.now()) });

describe('install keys', () => {
  test('one key signs all installs; the first two at once, on two processes, make one', async () => {
    const beside = await world.beside();
    const { id } = await world.application();
    const other = fetch(`${beside.url}/v1/meta/applications/${id}/installs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.metaToken}`, 'content-type': 'application/json' },
      body: '{"app_key":"notes"}',
    });
    const [kid] = await Promise.all([signedBy(), other]);
    expect(await signedBy()).toBe(kid);
    const kids = app.calls.filter(({ path }) => path === '/installed').map(({ authorization }) => readConnectJwt(authorization!.slice(4)));
    expect(new Set(kids.map((read) => ('refused' in read ? read.refused : read.header.kid)))).toEqual(new Set([kid]));
  });

  test('a new one takes over within half a minute; what the old one signed can still be verified', async () => {
    const old = await signedBy();
    const { kid, retired } = await rotate(false);
    expect(retired).toBe(1);
    world.clock.advance(31_000);
    expect(await signedBy()).toBe(kid);
    expect([await shown(old), await shown(kid)]).toEqual([200, 200]);
  });

  test('one that leaked is shown no more, so that nothing it signs is believed', async () => {
    const old = await signedBy();
    const { kid } = await rotate(true);
    expect([await shown(old), await shown(kid)]).toEqual([404, 200]);
    world.clock.advance(31_000);
    expect(await signedBy()).toBe(kid);
  });

  test('the private half is at rest under the root key only, and is sealed anew where that changes', async () => {
    const { db, vault } = world.platform;
    const kid = await signedBy();
    const current = (await vault.keys.rootKeyIds())[0]!;
    // Nothing is to be done where all is under this root key; under another name everything is.
    expect(await db.withSystem('reseal in a test', (tx) => resealInstallKeys(tx, vault, current))).toBe(0);
    expect(await db.withSystem('reseal in a test', (tx) => resealInstallKeys(tx, vault, '0123456789abcdef'))).toBeGreaterThan(0);
    world.clock.advance(31_000);
    expect(await signedBy()).toBe(kid);
  });

  test('a kid that is none is not looked for', async () => {
    for (const kid of ['x', '..%2fkeys', 'ink', 'ink0123456789ABCDEFGHIJKL']) expect([kid, await shown(kid)]).toEqual([kid, 404]);
  });

  test('are shown as they are now, and asked for one question at a time, however many ask', async () => {
    const asked = { times: 0, now: 0, mostAtOnce: 0 };
    await using counted = await World.create({
      egressAllow: [app.address],
      database: (db) => ({
        ...db,
        withControl: async (reason, work) => {
          if (!reason.startsWith('find the public')) return db.withControl(reason, work);
          asked.times++;
          asked.mostAtOnce = Math.max(asked.mostAtOnce, ++asked.now);
          return db.withControl(reason, work).finally(() => asked.now--);
        },
      }),
    });
    const at = (kid: string) => counted.call('GET', `/keys/${kid}`);
    const rotated = async (leaked: boolean) =>
      (await rotateInstallKeys(counted.platform, { leaked, now: new Date(counted.clock.now()) })).kid;
    const old = await rotated(false);
    const unknown = (n: number) => `ink${String(n).padStart(old.length - 3, '0')}`;
    const answers = await Promise.all(Array.from({ length: 120 }, (_, n) => at(n % 2 === 0 ? old : unknown(n))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
    expect(answers.every(({ status, text }) => status === 404 || text.startsWith('-----BEGIN PUBLIC KEY-----'))).toBe(true);
    expect(asked.mostAtOnce).toBe(1);
    expect(asked.times).toBeLessThan(120);
    const next = await rotated(true);
    expect([(await at(old)).status, (await at(next)).status]).toEqual([404, 200]);
  });
});
