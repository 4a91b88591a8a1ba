import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 120_000 });
const world = new CliWorld();
let env: Record<string, string> = {};
let app = '';
const bulkhead = (args: readonly string[], more: Record<string, string> = {}) => world.run([...args], { ...env, ...more });
const inbound = (verb: string, args: readonly string[] = [], more: Record<string, string> = {}) =>
  bulkhead(['inbound', verb, ...args, '--application', app], more);

beforeAll(async () => {
  const server = world.start(await world.folder(), {});
  const url = await server.ready();
  const made = await fetch(`${url}/v1/meta/applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.metaToken}`, 'content-type': 'application/json' },
    body: '{"name":"Alder","events_enabled":true}',
  });
  const application = (await made.json()) as { id: string; default_api_key: { key: string } };
  app = application.id;
  env = { META_TOKEN: server.metaToken, API_KEY: application.default_api_key.key, API: url };
}, 120_000);
afterAll(() => world[Symbol.asyncDispose](), 60_000);

/** GitHub reports. */
async function report(url: string, secret: string, ref: string): Promise<number> {
  const body = JSON.stringify({ ref });
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${signature}` };
  return (await fetch(url, { method: 'POST', headers, body })).status;
}

describe('bulkhead inbound', () => {
  it('add, list, rotate, messages, read and remove follow a service from its first message to its last', async () => {
    expect((await inbound('list')).stdout).toBe('No service is expected to report.\n');
    const added = await inbound('add', ['github']);
    const [, id = '', url = ''] = /^(\w+): github reports to (\S+)$/m.exec(added.stdout) ?? [];
    const [, first = ''] = /^Secret, shown this once: (\S{48})$/m.exec(added.stdout) ?? [];
    expect([added.exitCode, await report(url, first, 'one')]).toEqual([0, 200]);
    expect((await inbound('list')).stdout).toMatch(new RegExp(`^${id} +github +github +1 +${url}$`, 'm'));

    const second = 'the second secret of github';
    const begun = await inbound('rotate', [id], { INBOUND_SECRET: second });
    expect(begun.stdout).toContain(`Both secrets count: ${id}`);
    expect(begun.stdout + begun.stderr).not.toContain(second);
    expect([await report(url, first, 'two'), await report(url, second, 'three')]).toEqual([200, 200]);
    const unset = await inbound('rotate', [id, '--finish']);
    expect([unset.exitCode, unset.stderr]).toEqual([2, expect.stringContaining('INBOUND_SECRET, which is not set')]);
    expect((await inbound('rotate', [id, '--finish'], { INBOUND_SECRET: second })).exitCode).toBe(0);
    expect([await report(url, first, 'four'), await report(url, second, 'five')]).toEqual([401, 200]);

    const messages = await bulkhead(['inbound', 'messages', '--service', 'github']);
    expect(messages.stdout.match(/^inm\w+ +\S+ +github +push +-$/gm)).toHaveLength(4);
    expect((await bulkhead(['inbound', 'messages', '--service', 'slack'])).stdout).toBe('No service has reported.\n');
    const newest = /^(inm\w+)/m.exec(messages.stdout)?.[1] ?? '';
    expect(JSON.parse((await bulkhead(['inbound', 'read', newest])).stdout)).toEqual({ ref: 'five' });
    expect(JSON.parse((await bulkhead(['inbound', 'read', newest, '--json'])).stdout)).toMatchObject({
      id: newest,
      payload: { ref: 'five' },
    });

    expect((await inbound('remove', [id])).stdout).toBe(`Removed: ${id}\n`);
    expect(await report(url, second, 'six')).toBe(401);
    expect((await inbound('remove', [id])).exitCode).toBe(1);
  });

  it('a secret or service that cannot be used is told in a sentence, and the secret is not repeated', async () => {
    const short = await inbound('add', ['github'], { INBOUND_SECRET: 'too-short' });
    expect([short.exitCode, short.stderr]).toEqual([1, expect.stringContaining('answered 400')]);
    expect(short.stdout + short.stderr).not.toContain('too-short');
    expect((await inbound('add', ['no-such-service'])).exitCode).toBe(1);
    expect((await inbound('add', ['github', '--scheme', 'none'])).exitCode).toBe(1);
    expect((await bulkhead(['inbound', 'list'])).exitCode).toBe(2);
  });
});
