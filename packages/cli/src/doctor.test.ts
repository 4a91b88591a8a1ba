import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 60_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

const doctor = async (env: Record<string, string> = {}, ...args: string[]) =>
  world.run(['doctor', ...args], { BULKHEAD_PORT: '0', BULKHEAD_DATA_DIR: `${await world.folder()}/data`, ...env });

describe('bulkhead doctor', () => {
  it('says of each part whether it is there; where all that is needed is, it ends with 0', async () => {
    const { exitCode, stdout, stderr } = await doctor({ BULKHEAD_SANDBOX: 'process' });
    expect([exitCode, stderr]).toEqual([0, '']);
    for (const part of ['node', 'postgresql', 'disk', 'engine', 'bwrap', 'prlimit', 'system call filter', 'jail', 'start of a function'])
      expect(stdout).toMatch(new RegExp(`^(ok  |mind)  ${part} `, 'm'));
    expect(stdout).toMatch(/^Functions: run in /m);
  });

  it('answers as JSON what it answers in words', async () => {
    const { exitCode, stdout } = await doctor({}, '--json');
    const { fit, functions, findings } = JSON.parse(stdout);
    expect(exitCode).toBe(fit ? 0 : 1);
    expect(['jail', 'process']).toContain(functions.level);
    expect(fit).toBe(findings.every(({ state }: { state: string }) => state !== 'failed'));
    expect(functions.level === 'jail' || !fit).toBe(true);
  });

  it('looks for no jail where the role runner is not', async () => {
    const { stdout, exitCode } = await doctor({ BULKHEAD_ROLES: 'api,worker' });
    expect([exitCode, stdout]).toEqual([0, expect.not.stringContaining('bwrap')]);
  });

  it('names a database that does not answer without its password, and ends with 1', async () => {
    const { exitCode, stdout, stderr } = await doctor({
      BULKHEAD_ROLES: 'worker',
      BULKHEAD_DATABASE_URL: 'postgres://somebody:hunter2@127.0.0.1:1/none',
      BULKHEAD_ROOT_KEY: Buffer.alloc(32, 7).toString('base64'),
    });
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/^MISS {2}postgresql {2}BULKHEAD_DATABASE_URL: .*ECONNREFUSED/m);
    expect(stdout).not.toContain('hunter2');
  });

  it('says that a port is taken, which is fine where a server runs, and refuses a setting that is none', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { exitCode, stdout } = await doctor({ BULKHEAD_ROLES: 'api', BULKHEAD_PORT: String(port) });
    taken.close();
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^mind {2}port +${port} on 127.0.0.1 is in use`, 'm'))]);
    expect((await doctor({ BULKHEAD_PORT: 'none' })).exitCode).toBe(2);
  });
});
