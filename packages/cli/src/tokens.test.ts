import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';
import { confirm } from './confirm.ts';
import { type RevokeOptions, revokeTokens } from './tokens.ts';
import { matchesAsText } from './tokens-print.ts';
import { UsageError } from './usage-error.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

let folder: string;
let url: string;
let metaToken: string;
beforeAll(async () => {
  folder = await world.folder();
  url = await world.start(folder).ready();
  const created = await world.run(['meta-tokens', 'create', '--name', 'test'], { BULKHEAD_DATA_DIR: folder });
  metaToken = created.stdout.trim();
});

const tokens = (...args: string[]) => world.run(['tokens', ...args], { BULKHEAD_DATA_DIR: folder });

async function post(path: string, authorization: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** An Application with one imported account of a service, and a token for it. */
async function tenant(service: string) {
  const application = (await post('/v1/meta/applications', `Bearer ${metaToken}`, { name: `Of ${service}` })) as {
    id: string;
    default_api_key: { key: string };
  };
  const apiKey = application.default_api_key.key;
  const account = (await post('/v1/accounts', `APIKey ${apiKey}`, { service, account: 'ada', token: 'x' })) as { id: number };
  const token = (await post('/v1/oauth/token', `APIKey ${apiKey}`, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: apiKey,
    subject_token_type: 'urn:bulkhead:token-type:api-key',
    account_id: String(account.id),
  })) as { access_token: string };
  return { id: application.id, apiKey, token: token.access_token };
}

const worth = async ({ token }: { token: string }): Promise<number> =>
  (await fetch(`${url}/v1/accounts/me`, { headers: { authorization: `Bearer ${token}` } })).status;

describe('bulkhead tokens', () => {
  it('find counts and changes nothing; revoke ends what matches beside a running server, and neighbours live on', async () => {
    const [box, dropbox] = [await tenant('box'), await tenant('dropbox')];
    const found = await tokens('find', '--service', 'box');
    expect([found.exitCode, found.stderr]).toEqual([0, '']);
    expect(found.stdout).toMatch(new RegExp(`^${box.id} +Of box +box +1 +1 +0 +1 +0 +\\d{4}-`, 'm'));
    expect(found.stdout).toContain('In all: 1 Application, 1 account, 1 upstream credential, 0 grants, 1 access token, 0 refresh tokens.');
    expect(found.stdout).not.toContain(dropbox.id);
    const dry = await tokens('revoke', '--service', 'box', '--dry-run');
    expect([dry.exitCode, dry.stdout, dry.stderr]).toEqual([0, '', expect.stringContaining('Nothing was revoked: --dry-run.')]);
    expect(await worth(box)).toBe(200);

    const revoked = await tokens('revoke', '--service', 'box', '--yes');
    expect([revoked.exitCode, revoked.stdout]).toEqual([
      0,
      expect.stringContaining('Revoked: 1 account, 1 upstream credential, 0 grants, 1 access token'),
    ]);
    expect(revoked.stderr).toMatch(/In all: 1 Application[\s\S]*1 of 1 accounts/);
    expect([await worth(box), await worth(dropbox)]).toEqual([401, 200]);
    const again = await tokens('revoke', '--service', 'box', '--yes');
    expect([again.exitCode, again.stderr]).toEqual([0, 'Nothing matches.\n']);
  });

  it('answers as JSON, the count and what was done', async () => {
    const one = await tenant('hubspot');
    const counts = { accounts: 1, upstream_credentials: 1, grants: 0, access_tokens: 1, refresh_tokens: 0 };
    const found = JSON.parse((await tokens('find', '--application', one.id, '--json')).stdout) as { matches: object[] };
    expect(found).toMatchObject({ matches: [{ application: one.id, service: 'hubspot', ...counts }], total: counts });
    expect(JSON.parse((await tokens('revoke', '--application', one.id, '--older-than', '1d', '--json', '--yes')).stdout)).toMatchObject({
      total: { accounts: 0 },
    });
    const done = await tokens('revoke', '--application', one.id, '--ours-only', '--json', '--yes');
    expect(JSON.parse(done.stdout)).toEqual({ revoked: { ...counts, upstream_credentials: 0 }, failed: [], finished: true });
    expect(await worth(one)).toBe(401);
    expect(JSON.parse((await tokens('find', '--all', '--ours-only', '--json')).stdout)).toMatchObject({
      matches: expect.not.arrayContaining([expect.objectContaining({ application: one.id })]),
    });
  });

  it.each([
    ['a service nobody has', ['find', '--service', 'bxo'], 'a service "bxo"'],
    ['an Application there is not', ['revoke', '--application', 'app0000000000000000000000', '--yes'], 'app0000000000000000000000'],
  ])('ends with 2 for %s', async (_, args, text) => {
    const refused = await tokens(...args);
    expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([2, '', expect.stringContaining(text)]);
  });
});

describe('asked for in the wrong way', () => {
  it.each<[string, RevokeOptions, string]>([
    ['nothing said of which', { yes: true }, 'Say which tokens'],
    ['both all and some', { all: true, service: 'box', yes: true }, '--all means everything'],
    ['an id that is none', { application: 'alder', yes: true }, '"alder" is not the id of an Application'],
    ['an age that is none', { olderThan: 'yesterday', yes: true }, '--older-than: expected a number'],
    ['no terminal to ask at, and no --yes', { all: true }, 'Add --yes'],
  ])('is %s: no database is looked for', async (_, options, text) => {
    const refusal = revokeTokens(options);
    await expect(refusal).rejects.toBeInstanceOf(UsageError);
    await expect(refusal).rejects.toThrow(text);
  });
});

describe('the question', () => {
  const asked = async (typed: string): Promise<boolean> => {
    const input = new PassThrough();
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    input.end(typed);
    return confirm('Revoke? ', { input, output });
  };

  it.each(['no\n', 'y\n', '\n', '', 'yes, no\n'])('is a no for %j', async (typed) => {
    expect(await asked(typed)).toBe(false);
  });

  it.each(['yes\n', ' YES \n'])('is a yes for %j', async (typed) => {
    expect(await asked(typed)).toBe(true);
  });
});

describe('the table', () => {
  const moment = new Date('2026-01-02T03:04:05Z');
  const match = {
    applicationId: 'app1' as never,
    applicationName: 'A name\u001b[31m that is longer than the column',
    service: 'box',
    accounts: 2,
    upstreamCredentials: 2,
    grants: 1,
    accessTokens: 3,
    refreshTokens: 1,
    oldest: moment,
    newest: moment,
  };

  it('says how many rows it leaves out, sums up all of them, and lets no name speak to the terminal', () => {
    const text = matchesAsText([match, { ...match, service: 'dropbox' }], 1);
    expect(text).toContain('… and 1 more rows');
    expect(text).toContain('In all: 1 Application, 4 accounts, 4 upstream credentials, 2 grants, 6 access tokens, 2 refresh tokens.');
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/A name \[31m that is lon…/);
  });
});
