import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { META_SCOPES } from '@bulkhead/platform';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld, metaStatus, processesOn } from './cli-process.testkit.ts';
import { SCOPES } from './meta-tokens-command.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

let folder: string;
let url: string;
beforeAll(async () => {
  folder = await world.folder();
  url = await world.start(folder).ready();
});
const metaTokens = (...args: string[]) => world.run(['meta-tokens', ...args], { BULKHEAD_DATA_DIR: folder });

describe('bulkhead meta-tokens beside a running server', () => {
  it('create prints a token that works, alone, so that it goes straight into a variable; revoke ends it', async () => {
    const created = await metaTokens('create', '--name', 'ci');
    expect(created.exitCode).toBe(0);
    expect(created.stdout).toMatch(/^bhm_\w+\n$/);
    expect(created.stderr).toContain('goes to standard output this once');
    const token = created.stdout.trim();
    expect(created.stderr).not.toContain(token);
    const id = /mtk\w+/.exec(created.stderr)?.[0] ?? '';
    expect(await metaStatus(url, token)).toBe(200);
    const revoked = await metaTokens('revoke', id);
    expect([revoked.exitCode, revoked.stdout]).toEqual([0, expect.stringContaining(`Revoked ${id}`)]);
    expect(await metaStatus(url, token)).toBe(401);
    const again = await metaTokens('revoke', id);
    expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining(`There is no Meta token with the id "${id}"`)]);
  });

  it('a token has the scopes and the end it was created with, and list shows it shortened', async () => {
    const created = await metaTokens('create', '--name', 'reader', '--scopes', 'applications:read', '--expires-in', '2h', '--json');
    const token = JSON.parse(created.stdout) as { id: string; token: string; scopes: string[]; created: string; expires: string };
    expect(token.scopes).toEqual(['applications:read']);
    expect(Date.parse(token.expires) - Date.parse(token.created)).toBe(7_200_000);
    expect(await metaStatus(url, token.token)).toBe(200);
    const headers = { authorization: `Bearer ${token.token}`, 'content-type': 'application/json' };
    expect((await fetch(`${url}/v1/meta/applications`, { method: 'POST', headers, body: '{"name":"No"}' })).status).toBe(403);
    const listed = await metaTokens('list');
    expect(listed.stdout).toMatch(new RegExp(`^${token.id} +reader +bhm_….{4} +applications:read `, 'm'));
    expect(listed.stdout).not.toContain(token.token);
    const asJson = JSON.parse((await metaTokens('list', '--json')).stdout) as { id: string }[];
    expect(asJson.map((each) => each.id)).toContain(token.id);
  });

  it("a token of another organization sees none of the first one's Applications, and is ended only there", async () => {
    const made = await world.run(['organizations', 'create', '--name', 'North', '--json'], { BULKHEAD_DATA_DIR: folder });
    const { id: organization } = JSON.parse(made.stdout) as { id: string };
    expect((await world.run(['organizations', 'list'], { BULKHEAD_DATA_DIR: folder })).stdout).toMatch(
      new RegExp(`^${organization} +North `, 'm'),
    );
    const token = async (...more: string[]) =>
      JSON.parse((await metaTokens('create', '--name', 'two', '--json', ...more)).stdout) as { id: string; token: string };
    const [first, north] = [await token(), await token('--organization', organization)];
    const as = (bearer: string, path = '', init: RequestInit = {}) =>
      fetch(`${url}/v1/meta/applications${path}`, {
        ...init,
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      });
    const { id } = (await (await as(first.token, '', { method: 'POST', body: '{"name":"Ours"}' })).json()) as { id: string };
    expect([(await as(first.token, `/${id}`)).status, (await as(north.token, `/${id}`)).status]).toEqual([200, 404]);
    expect(await (await as(north.token)).json()).toMatchObject({ total: 0 });
    expect((await metaTokens('revoke', north.id)).exitCode).toBe(1);
    expect((await metaTokens('revoke', north.id, '--organization', organization)).exitCode).toBe(0);
    const nowhere = await metaTokens('list', '--organization', 'org0000000000000000000000');
    expect([nowhere.exitCode, nowhere.stderr]).toEqual([2, expect.stringContaining('organizations list')]);
  });

  it('leaves the server and its database as they were', async () => {
    await metaTokens('list');
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});

describe('bulkhead meta-tokens without a server', () => {
  it('starts the database for as long as it takes', async () => {
    const alone = await world.folder();
    const env = { BULKHEAD_DATA_DIR: alone };
    const server = world.start(alone);
    await server.ready();
    await server.end();
    const created = await world.run(['meta-tokens', 'create', '--name', 'later'], env);
    expect([created.exitCode, created.stdout]).toEqual([0, expect.stringMatching(/^bhm_/)]);
    expect(await processesOn(join(alone, 'pg'))).toEqual([]);
    expect(await metaStatus(await world.start(alone).ready(), created.stdout.trim())).toBe(200);
  });

  it('refuses a folder that holds no database, and makes none there', async () => {
    const empty = await world.folder();
    const refused = await world.run(['meta-tokens', 'create', '--name', 'x'], { BULKHEAD_DATA_DIR: empty });
    expect([refused.exitCode, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain(`There is no Bulkhead database in ${empty}`);
    expect(refused.stderr).toContain('BULKHEAD_DATA_DIR');
    expect(await readdir(empty)).toEqual([]);
  });
});

describe('what is typed wrongly', () => {
  it.each([
    [['strat'], `Unknown command 'strat'. Did you mean start? Type "npx bulkhead --help" for what there is.`],
    [['start', '--dmo'], `Unknown option '--dmo'. Did you mean --demo? Type "npx bulkhead start --help" for what there is.`],
    [['start', 'now'], 'Too many arguments'],
    [['meta-tokens'], 'Usage: bulkhead meta-tokens'],
    [
      ['meta-tokens', 'create'],
      `Required option '--name <name>' not specified. Type "npx bulkhead meta-tokens create --help" for what there is.`,
    ],
    [['meta-tokens', 'create', '--name', ' '], '--name: expected 1 to 200 printable characters.'],
    [['meta-tokens', 'create', '--name', 'x', '--expires-in', 'soon'], '--expires-in: expected a number with s, m, h, d or w behind it'],
    [['meta-tokens', 'create', '--name', 'x', '--expires-in', '0'], '--expires-in: expected'],
    [['meta-tokens', 'create', '--name', 'x', '--scopes', 'everything'], `--scopes: "everything" is not one. There are: ${SCOPES}.`],
    [['meta-tokens', 'revoke'], "Missing required argument 'id'."],
  ])('bulkhead %j is answered with a sentence and exit code 2', async (args, sentence) => {
    const refused = await world.run(args, { BULKHEAD_DATA_DIR: folder });
    expect(refused.stderr).toContain(sentence);
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toBe('');
  });

  it('every setting that cannot be used is named at once, with what was expected, and exit code 2', async () => {
    const refused = await world.run(['start'], { BULKHEAD_PORT: '70000', BULKHEAD_ROLES: 'apis', BULKHEAD_DATA_DIR: folder });
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining(
        'BULKHEAD_PORT: expected a port from 0 (any free one) to 65535.\nBULKHEAD_ROLES: expected a comma-separated list',
      ),
    ]);
  });
});

describe('the help', () => {
  it.each([
    [[]],
    [['start']],
    [['meta-tokens']],
    [['meta-tokens', 'create']],
    [['meta-tokens', 'list']],
    [['meta-tokens', 'revoke']],
    [['demo']],
  ])('of bulkhead %j has an example and ends with 0', async (command) => {
    const help = await world.run([...command, '--help']);
    expect([help.exitCode, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toMatch(/Examples?:\n {2}\$ (?:[A-Z_]+=\$\()?npx bulkhead/);
  });

  it('names the scopes there are', () => {
    expect(SCOPES).toBe(META_SCOPES.join(', '));
  });

  it('--version is that of the package', async () => {
    expect((await world.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
