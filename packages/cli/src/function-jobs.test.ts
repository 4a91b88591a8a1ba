import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 120_000 });
const world = new CliWorld();
const app = createServer((_request, response) => response.writeHead(204).end());
let env: Record<string, string> = {};
let application = '';
let meta: (method: string, path: string, body?: unknown) => Promise<{ id: string }>;
const functions = (...args: string[]) => world.run(['functions', ...args], env);
const jobs = async (...args: string[]) =>
  JSON.parse((await functions('jobs', 'list', 'notes', '--application', application, '--json', ...args)).stdout) as Record<
    string,
    unknown
  >[];

/** What the guide has the reader write, as it stands there. */
async function guideFolder(): Promise<string> {
  const guide = await readFile(fileURLToPath(new URL('../../../docs/guides/write-a-function.md', import.meta.url)), 'utf8');
  const blocks = (language: string, sign: RegExp): string[] =>
    [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))]
      .map(([, block]) => block!)
      .filter((block) => sign.test(block));
  const sources = blocks('yaml', /^(queues|schedules|triggers):/);
  expect(sources).toHaveLength(3);
  const [code] = blocks('ts', /queue\('pages'\)/);
  const keys = ['start', 'page', 'nightly', 'onAccount'];
  const folder = await world.folder();
  await mkdir(join(folder, 'src'));
  const listed = keys.map((key) => `  - key: ${key}\n    handler: src/index.${key}\n`).join('');
  await writeFile(join(folder, 'bulkhead.yml'), `app: notes\nfunctions:\n${listed}${sources.join('')}`);
  await writeFile(
    join(folder, 'src/index.ts'),
    `${code}\nexport const nightly = (tick: unknown) => tick;\nexport const onAccount = (event: unknown) => console.log(JSON.stringify(event));\n`,
  );
  return folder;
}

beforeAll(async () => {
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  const data = await world.folder();
  const server = world.start(data, { BULKHEAD_EGRESS_ALLOW: address, BULKHEAD_SANDBOX: 'process' });
  const url = await server.ready();
  env = { META_TOKEN: server.metaToken, API: url, BULKHEAD_DATA_DIR: data };
  meta = async (method, path, body) => {
    const headers = { authorization: `Bearer ${server.metaToken}`, 'content-type': 'application/json' };
    return (await (await fetch(`${url}/v1/meta${path}`, { method, headers, body: JSON.stringify(body) })).json()) as { id: string };
  };
  await meta('POST', '/apps', {
    descriptor: {
      key: 'notes',
      baseUrl: `http://${address}`,
      authentication: { type: 'jwt' },
      lifecycle: { installed: '/installed' },
      scopes: ['READ'],
    },
  });
  application = (await meta('POST', '/applications', { name: 'Alder' })).id;
  await meta('POST', `/applications/${application}/installs`, { app_key: 'notes', scopes: ['READ'] });
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  app.close();
}, 60_000);

describe('the guide to writing a function', () => {
  it('has its queue, schedule and trigger deployed; what is pushed is done, what asks for it again waits as long as it said', async () => {
    const deployed = await functions('deploy', await guideFolder(), '--environment', 'production');
    expect([deployed.exitCode, deployed.stderr]).toEqual([0, '']);
    const called = await functions('invoke', 'notes', 'start', '--application', application, '--payload', '{"pages": 5}');
    expect([called.exitCode, JSON.parse(called.stdout)]).toEqual([0, expect.stringMatching(/^psh/)]);
    expect((await jobs()).map(({ status, key }) => [status, key])).toEqual(Array(5).fill(['waiting', 'pages']));
    await expect.poll(async () => (await jobs('--status', 'done')).length, { timeout: 60_000, interval: 500 }).toBe(4);
    const [again] = await jobs('--status', 'waiting');
    expect(again).toMatchObject({ attempts: 1, outcome: 'retry' });
    const wait = Date.parse(String(again!['next_attempt'])) - Date.parse(String(again!['created']));
    expect(wait).toBeGreaterThanOrEqual(60_000);
    const listed = await functions('jobs', 'list', 'notes', '--application', application);
    expect(listed.stdout.split('\n')[0]).toMatch(/^ID +CREATED +OF +FUNCTION +STATUS +ATTEMPTS +LAST +NEXT$/);
    expect(listed.stdout).toContain('queue pages');
    expect((await functions('logs', 'notes', '--application', application)).stdout).toContain('info  page 0');
  });
});

describe('bulkhead functions jobs', () => {
  it('retry refuses a job that has not failed, and says so', async () => {
    const [done] = await jobs('--status', 'done');
    const refused = await functions('jobs', 'retry', 'notes', String(done!['id']), '--application', application);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('Only a job that has failed can be tried again')]);
  });

  it.each([
    ['--status', 'over', /--status: expected one of waiting, running, done, failed, cancelled/],
    ['--source', 'timer', /--source: expected one of queue, schedule, event/],
  ])('list with %s %s says what there is', async (option, value, said) => {
    const refused = await functions('jobs', 'list', 'notes', '--application', application, option, value);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(said)]);
  });
});
