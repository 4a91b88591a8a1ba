import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CliProcess, CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 60_000 });
const world = new CliWorld();
let folder = '';
beforeAll(async () => {
  folder = await world.folder();
});
afterAll(() => world[Symbol.asyncDispose](), 60_000);

describe('bulkhead functions init', () => {
  it('writes a folder whose unit test passes as it is', async () => {
    const { exitCode, stdout, stderr } = await world.run(['functions', 'init', folder, '--app', 'notes']);
    expect([exitCode, stderr]).toEqual([0, '']);
    for (const name of ['bulkhead.yml', 'src/index.ts', 'src/index.test.ts', 'package.json', 'tsconfig.json']) {
      expect(stdout).toContain(`wrote ${join(folder, name)}`);
      expect(existsSync(join(folder, name))).toBe(true);
    }
    const tested = await promisify(execFile)(process.execPath, ['--test'], { cwd: folder });
    expect(tested.stdout).toMatch(/pass 1\b/);
  });

  it('writes over nothing, and refuses a key that is none', async () => {
    const before = await readFile(join(folder, 'bulkhead.yml'), 'utf8');
    const again = await world.run(['functions', 'init', folder, '--app', 'other']);
    expect([again.exitCode, again.stderr]).toEqual([2, expect.stringContaining('is there already: nothing was written')]);
    expect(await readFile(join(folder, 'bulkhead.yml'), 'utf8')).toBe(before);
    const other = await world.folder();
    const wrong = await world.run(['functions', 'init', other, '--app', 'no key']);
    expect([wrong.exitCode, wrong.stderr, await readdir(other)]).toEqual([2, expect.stringContaining('--app: expected'), []]);
  });
});

describe('bulkhead functions dev', () => {
  it('runs a folder for two customers, shows what is written, and deploys each change', async () => {
    await using dev = started(['--inspect', '19429']);
    await dev.process.ready();
    await dev.shows(/^Deployed: version 1 \(count; /m);
    dev.type('count');
    await dev.shows(/^\[1\] count → \{"seen":1\}$/m);
    await dev.shows(/^\[1\] {3}info {2}app\w+ has seen 1$/m);
    // An empty line calls again; a number names the customer.
    dev.type('');
    await dev.shows(/^\[1\] count → \{"seen":2\}$/m);
    dev.type('2 count {"by": 5}');
    await dev.shows(/^\[2\] count → \{"seen":5\}$/m);
    await dev.says(/^Debugger: 127\.0\.0\.1:19429 for app/m);
    expect((await fetch('http://127.0.0.1:19429/json')).status).toBe(200);

    const index = join(folder, 'src', 'index.ts');
    const source = await readFile(index, 'utf8');
    await writeFile(index, source.replace('return { seen };', 'return {'));
    await dev.shows(/^Not deployed: src\/index\.ts:\d+:\d+: /m);
    // As editors write: a new file in the place of the old one.
    await writeFile(`${index}~`, source.replace('return { seen };', "return { seen, now: 'changed' } as never;"));
    await rename(`${index}~`, index);
    await dev.shows(/^Deployed: version 2 /m);
    dev.type('count');
    await dev.shows(/^\[1\] count → \{"seen":3,"now":"changed"\}$/m);
    dev.type('other');
    await dev.shows(/^\[1\] other: The code that is deployed in the environment "development" has no function "other"/m);
    expect(await dev.process.end('SIGINT')).toBe(0);
    expect(dev.process.stdout).not.toContain('\u001b');
  }, 120_000);

  it.each([
    ['a folder without a manifest', ['--port', '0'], /There is no .*bulkhead\.yml/, true],
    ['no number of customers', ['--applications', '10'], /--applications: expected a number from 1 to 9/, false],
    ['a port that is none', ['--inspect', '80'], /--inspect: expected a port from 1024/, false],
  ])('refuses %s', async (_, args, said, isEmpty) => {
    const where = isEmpty ? await world.folder() : folder;
    const refused = await world.run(['functions', 'dev', where, ...args]);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(said)]);
  });
});

function started(args: readonly string[]) {
  const child: CliProcess = world.spawn(['functions', 'dev', folder, ...args], {}, { stdio: ['pipe', 'pipe', 'pipe'] });
  let from = 0;
  return {
    process: child,
    type: (line: string) => {
      from = child.stdout.length;
      child.child.stdin!.write(`${line}\n`);
    },
    shows: async (what: RegExp) => {
      await vi
        .waitUntil(() => what.test(child.stdout.slice(from)), { timeout: 20_000 })
        .catch(() => {
          throw new Error(`${what} was not shown: ${child.stdout}\n${child.stderr}`);
        });
    },
    says: (what: RegExp) => vi.waitUntil(() => what.test(child.stderr), { timeout: 20_000 }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) await child.end();
    },
  };
}
