import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationKeyFolder, FileKeys, keyStatus } from '@bulkhead/platform';
import { createTwins, type FakeUpstream, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEverything } from './open-everything.ts';
import type { RotateChild } from './rotate-child.ts';

let folder: string;
let upstream: FakeUpstream;
let world: World;
let twins: Twins;
const running = new Set<ReturnType<typeof spawn>>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-kill-'));
  upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address], keys: await keysOfFolder(true) });
  twins = await createTwins(world, upstream);
}, 180_000);
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const keysOfFolder = (mayCreate = false) =>
  FileKeys.open({ dataDir: folder, mayCreate, applicationKeys: new ApplicationKeyFolder(join(folder, 'keys')) });
const status = async () => keyStatus(world.platform.db, await keysOfFolder());
const everything = async () => openEverything(world.platform.db, await keysOfFolder());

/** A process of its own that rotates; it is killed with SIGKILL where it stands still, or ends by itself. Answers what it said last. */
async function rotate(what: RotateChild['what'], standAt: RotateChild['standAt']): Promise<string> {
  const { appUrl, controlUrl, systemUrl } = world.database.urls;
  const urls = { appUrl: appUrl.reveal(), controlUrl: controlUrl.reveal(), systemUrl: systemUrl.reveal() };
  const given: RotateChild = { urls, folder, what, standAt };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'rotate-child.ts'), JSON.stringify(given)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let said = '';
  let complained = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complained += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.includes('standing at')) child.kill('SIGKILL');
  });
  const [code, signal] = await once(child, 'close');
  running.delete(child);
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${code} ${said}${complained}`);
  expect(signal, `${said}${complained}`).toBe(standAt === null ? null : 'SIGKILL');
  return said.trim();
}

/** A call that opens an upstream credential, by a process that ran all the time. */
const call = () =>
  world.call('GET', `/v1/accounts/${twins.victim.names.account}/proxy/files`, {
    headers: { authorization: `APIKey ${twins.victim.apiKey}` },
  });

async function nothingIsLost(opened: number): Promise<void> {
  const now = await everything();
  expect(now.closed).toEqual([]);
  expect(now.opened).toHaveLength(opened);
  // What the running process remembers of keys is past its time.
  world.clock.advance(31_000);
  expect((await call()).status).toBe(200);
}

describe('V5: a rotation of the root key that is killed with SIGKILL, again and again', () => {
  test('loses nothing at any point, goes on where it was, and ends with nothing under the old key and no trace of it', async () => {
    const { opened } = await everything();
    const old = (await readFile(join(folder, 'root.key'), 'utf8')).trim();
    const { current } = await status();
    const points: [string, number][] = [
      ['made', 1],
      ['switched', 1],
      ['rewrapped', 2],
      ['retiring', 1],
      ['retired', 1],
    ];
    for (const point of points) {
      expect(await rotate('root', point)).toBe(`standing at ${point[0]}`);
      await nothingIsLost(opened.length);
      // From the moment it is begun until it is finished, the database says so.
      if (point[0] !== 'made') expect((await status()).rotations).toHaveLength(1);
    }
    expect(await rotate('root', null)).toContain('"retired":"destroyed"');
    await nothingIsLost(opened.length);
    const after = await status();
    expect(after).toMatchObject({ previous: null, rotations: [], held: [after.current] });
    expect(after.current).not.toBe(current);
    expect(after.dataKeysByRootKey.map(({ rootKeyId }) => rootKeyId)).toEqual([after.current]);
    expect((await readdir(folder)).sort()).toEqual(['keys', 'root.key']);
    expect((await readFile(join(folder, 'root.key'), 'utf8')).trim()).not.toBe(old);
  }, 600_000);
});

describe('V5: a rotation of data keys that is killed with SIGKILL, again and again', () => {
  test('loses nothing at any point, gives no Application a second new key, and ends with nothing under an old one', async () => {
    const { opened } = await everything();
    const points: [string, number][] = [
      ['new version', 1],
      ['credentials.sealed', 1],
      ['application', 3],
    ];
    for (const point of points) {
      expect(await rotate('data', point)).toBe(`standing at ${point[0]}`);
      await nothingIsLost(opened.length);
      expect((await status()).rotations).toHaveLength(1);
    }
    expect(await rotate('data', null)).toContain('"unfinished":[]');
    await nothingIsLost(opened.length);
    const after = await status();
    expect(after).toMatchObject({ rotations: [], withOlderVersions: 0, dataKeys: after.applications });
    expect((await everything()).versions).toEqual(new Set([2]));
  }, 600_000);
});
