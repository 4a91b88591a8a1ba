import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

const world = new CliWorld();
let status = 200;
const receiver = createServer((_, response) => void response.writeHead(status).end('said'));
let env: Record<string, string> = {};
let url = '';
let app = '';
let hook = '';
const bulkhead = (...args: string[]) => world.run(args, env);
const webhooks = (verb: string, ...args: string[]) => bulkhead('webhooks', verb, ...args, '--application', app);
interface Made {
  readonly id: string;
  readonly default_api_key: { readonly key: string };
}
async function call(method: string, path: string, authorization: string, body: unknown) {
  const headers = { authorization, 'content-type': 'application/json' };
  return (await (await fetch(url + path, { method, headers, body: JSON.stringify(body) })).json()) as Made;
}

beforeAll(async () => {
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const server = world.start(await world.folder(), { BULKHEAD_EGRESS_ALLOW: address });
  url = await server.ready();
  const meta = `Bearer ${server.metaToken}`;
  const made = await call('POST', '/v1/meta/applications', meta, { name: 'Alder', events_enabled: true });
  app = made.id;
  hook = (await call('POST', `/v1/meta/applications/${app}/webhooks`, meta, { url: `http://${address}/` })).id;
  env = { META_TOKEN: server.metaToken, API_KEY: made.default_api_key.key, API: url };
  for (const account of ['one', 'two'])
    await call('POST', '/v1/accounts', `APIKey ${env['API_KEY']}`, { service: 'gdrive', account, token: 'x' });
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  receiver.close();
}, 60_000);

describe('bulkhead webhooks', () => {
  it('list shows each with its health', async () => {
    expect((await webhooks('list')).stdout).toMatch(new RegExp(`^${hook} +standard +healthy`, 'm'));
  });

  it('test says what came of it, and its exit code too', async () => {
    const accepted = await webhooks('test', hook);
    expect([accepted.exitCode, accepted.stdout]).toEqual([0, expect.stringContaining('Accepted: ok (status 200')]);
    status = 500;
    const refused = await webhooks('test', hook);
    status = 200;
    expect([refused.exitCode, refused.stdout]).toEqual([1, expect.stringContaining('Not accepted: http_500')]);
  });

  it('rotate prints the new secret alone', async () => {
    expect((await webhooks('rotate', hook, '--overlap', '2h')).stdout).toMatch(/^whsec_\S+\n$/);
  });

  it('deliveries shows what was sent, and replay sends one of them or a span again', async () => {
    const shown = await webhooks('deliveries', hook, '--json');
    expect([shown.exitCode, shown.stderr]).toEqual([0, '']);
    const listed = JSON.parse(shown.stdout) as { id: string; event: string }[];
    expect(listed.map(({ event }) => event)).toEqual([
      // The secret was rotated.
      'application.updated',
      'account.connected',
      'account.connected',
      'application.updated',
    ]);
    const one = await webhooks('replay', hook, listed[0]!.id);
    expect([one.exitCode, one.stdout]).toEqual([0, `Sending again: ${listed[0]!.id}\n`]);
    const span = await webhooks('replay', hook, '--since', '2020-01-01T00:00:00Z');
    expect([span.exitCode, span.stdout]).toEqual([0, expect.stringMatching(/^Sending again: \d+\n$/)]);
  });
});

describe('bulkhead events tail', () => {
  it('prints every event once, in order, and goes on from a cursor', async () => {
    // A transaction that is open anywhere on the server holds the log's readers back.
    const tail = () => bulkhead('events', 'tail', '--from', 'start', '--once', '--json', '--application', app);
    await expect.poll(async () => (await tail()).stdout.trim().split('\n').length).toBe(4);
    const all = await tail();
    expect(all.exitCode, all.stderr).toBe(0);
    const lines = all.stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'application.updated',
      'account.connected',
      'account.connected',
      'application.updated',
    ]);
    const cursor = /^cursor (\S+)$/m.exec(all.stderr)![1]!;
    expect((await bulkhead('events', 'tail', '--from', cursor, '--once')).stdout).toBe('');
  });
});

describe('what cannot be done', () => {
  it.each([
    ['no credential', ['webhooks', 'list', '--application', 'appX'], { META_TOKEN: '' }, 2, 'META_TOKEN, which is not set'],
    ['a worthless credential', ['webhooks', 'list', '--application', 'appX'], { META_TOKEN: 'bhm_no' }, 1, 'META_TOKEN: it is unknown'],
    ['no such Application', ['webhooks', 'list', '--application', 'appX'], {}, 1, 'There is no such Application'],
    ['no Application', ['webhooks', 'list'], {}, 2, '--application <id>'],
    ['nobody there', ['events', 'tail', '--url', 'http://127.0.0.1:1'], {}, 1, 'No answer from http://127.0.0.1:1'],
    ['no address', ['events', 'tail', '--url', 'here'], {}, 2, '--url: expected'],
    ['another Application', ['events', 'tail', '--application', 'appX'], {}, 2, 'is not one of appX'],
    ['an account that is none', ['events', 'tail', '--account', 'me/..'], {}, 2, '--account: expected'],
    ['nothing to replay', ['webhooks', 'replay', 'whk', '--application', 'appX'], {}, 2, 'Name one delivery'],
    ['no such status', ['webhooks', 'deliveries', 'whk', '--application', 'appX', '--status', 'x'], {}, 2, '--status: expected'],
  ])('%s is answered with a sentence', async (_, args, changed: Record<string, string>, exitCode, sentence) => {
    const refused = await world.run(args, { ...env, ...changed });
    expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([exitCode, '', expect.stringContaining(sentence)]);
    expect(refused.stderr).not.toContain(env['META_TOKEN']);
  });
});
