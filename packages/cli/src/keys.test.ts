import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type CliProcess, CliWorld, metaStatus } from './cli-process.testkit.ts';

// Whole servers and commands beside them, while other suites share the machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

async function application(url: string, started: CliProcess): Promise<string> {
  const made = await fetch(`${url}/v1/meta/applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${started.metaToken}`, 'content-type': 'application/json' },
    body: '{"name":"Kept","oauth_keys":[{"service":"github","client_id":"c","client_secret":"s"}]}',
  });
  expect(made.status).toBe(201);
  return ((await made.json()) as { id: string }).id;
}
const clone = async (url: string, started: CliProcess, source: string): Promise<number> =>
  (
    await fetch(`${url}/v1/meta/applications`, {
      method: 'POST',
      headers: { authorization: `Bearer ${started.metaToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Copy', source }),
    })
  ).status;

describe('bulkhead keys', () => {
  it('shows, counts and rotates both kinds beside a running server, which goes on without being told; the old root key is gone', async () => {
    const folder = await world.folder();
    const started = world.start(folder);
    const url = await started.ready();
    const id = await application(url, started);
    const env = { BULKHEAD_DATA_DIR: folder };
    const old = (await readFile(join(folder, 'root.key'), 'utf8')).trim();

    const before = await world.run(['keys', 'status'], env);
    expect([before.exitCode, before.stdout]).toEqual([
      0,
      expect.stringContaining('complete: older dumps open nothing of a deleted Application'),
    ]);
    expect(before.stdout + before.stderr).not.toContain(old);

    const counted = await world.run(['keys', 'rotate', '--root', '--dry-run'], env);
    expect([counted.exitCode, counted.stderr]).toEqual([0, expect.stringContaining('1 data key of 1 Application to wrap anew')]);
    expect((await readFile(join(folder, 'root.key'), 'utf8')).trim()).toBe(old);

    const rotated = await world.run(['keys', 'rotate', '--root'], env);
    expect([rotated.exitCode, rotated.stdout]).toEqual([
      0,
      expect.stringMatching(/1 data key wrapped anew by root key \w{16}\.\nRoot key \w{16} is destroyed/),
    ]);
    expect((await readFile(join(folder, 'root.key'), 'utf8')).trim()).not.toBe(old);
    // Opens the OAuth key of the source and seals it under a new data key, wrapped by the new root key.
    expect(await clone(url, started, id)).toBe(201);

    const data = await world.run(['keys', 'rotate', '--data', '--application', id, '--json'], env);
    expect([data.exitCode, JSON.parse(data.stdout)]).toEqual([0, { applications: 1, resealed: 1, unreadable: [], unfinished: [] }]);
    expect(await clone(url, started, id)).toBe(201);
    expect(await started.end()).toBe(0);
    const again = world.start(folder);
    expect(await metaStatus(await again.ready(), started.metaToken)).toBe(200);
    expect(await clone(await again.ready(), started, id)).toBe(201);
  });

  it.each([
    [['keys', 'rotate'], 'Say what to rotate: --root, --data or --installs.'],
    [['keys', 'rotate', '--root', '--data'], 'cannot be used with'],
    [['keys', 'rotate', '--data', '--keep-old'], 'cannot be used with'],
    [['keys', 'rotate', '--application', `app${'0'.repeat(22)}`], 'Say what to rotate'],
    [['keys', 'rotate', '--data', '--application', 'nothing'], 'expected the id of an Application'],
  ])('%j is refused with exit code 2 before anything is touched', async (args, said) => {
    const refused = await world.run(args, { BULKHEAD_DATA_DIR: await world.folder() });
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining(said)]);
  });
});

describe('V5: keys that are not those of the data', () => {
  it('are refused by start and keys alike, with exit code 2 and a sentence, and nothing is made in their place', async () => {
    const folder = await world.folder();
    const first = world.start(folder);
    const id = await application(await first.ready(), first);
    await first.end();
    const keys = join(folder, 'keys');
    const refusal = async (said: string, env: Record<string, string> = {}): Promise<void> => {
      const refused = world.start(folder, env);
      await refused.ended;
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining(said)]);
      expect(refused.stdout).toBe('');
    };
    const wrong = { BULKHEAD_ROOT_KEY: Buffer.alloc(32, 7).toString('base64') };
    await refusal('BULKHEAD_ROOT_KEY: expected the root key this database was made with', wrong);
    const status = await world.run(['keys', 'status'], { BULKHEAD_DATA_DIR: folder, ...wrong });
    expect([status.exitCode, status.stderr]).toEqual([2, expect.stringContaining('BULKHEAD_ROOT_KEY: expected the root key')]);

    await rename(keys, `${folder}-keys-away`);
    await refusal('BULKHEAD_KEY_DIR: expected the folder of Application keys that this database was made with');
    expect(await readdir(folder)).not.toContain('keys');
    await mkdir(keys);
    await refusal('BULKHEAD_KEY_DIR: expected the folder of Application keys that this database was made with');
    await rm(keys, { recursive: true });
    await rename(`${folder}-keys-away`, keys);
    const file = join(keys, id.slice(-2), `${id}.key`);
    await rename(file, `${file}.away`);
    await refusal('BULKHEAD_KEY_DIR: expected a folder that holds the key of each Application');
    await rename(`${file}.away`, file);
    // The control: with everything in its place it starts.
    expect(await metaStatus(await world.start(folder).ready(), first.metaToken)).toBe(200);
  });
});
