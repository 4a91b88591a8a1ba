import { glob, readFile } from 'node:fs/promises';
import { type Database, runPastDoors } from '@bulkhead/postgres';
import type { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, OAuthWorld } from '../conformance/oauth-world.ts';

/** Name → statement of everything that was asked of `recall`. */
const asked = new Map<string, string>();

const listening = (database: Database): Database => ({
  ...database,
  recall: (id, name, statement, make) => {
    asked.set(name.split(' ')[0]!, statement().text);
    return database.recall(id, name, statement, make);
  },
});

let oauth: OAuthWorld;
let world: World;
let other: string;
beforeAll(async () => {
  oauth = await OAuthWorld.create({ database: listening });
  ({ world } = oauth);
  other = (await world.beside()).url;
});
afterAll(() => oauth[Symbol.asyncDispose]());

interface Held extends Client {
  readonly account: number;
  readonly parent: string;
  readonly child: string;
  readonly grandchild: string;
  readonly keyChild: string;
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** An Application of its own with an account, the token of its grant, one exchanged from that, one from that again, and one from the API key. */
async function held(): Promise<Held> {
  const client = await oauth.another({ pkce_required: true });
  const { code, verifier } = await oauth.code({ client_id: client.id });
  const { access_token: parent, account_id: account } = (await oauth.redeem(code, verifier, {}, client)).json;
  const exchange = async (subject: string, type: string): Promise<string> => {
    const fields = { grant_type: EXCHANGE, subject_token: subject, subject_token_type: type, account_id: `${account}` };
    return (await oauth.token(fields, client)).json.access_token;
  };
  const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
  const child = await exchange(parent, accessToken);
  return {
    ...client,
    account,
    parent,
    child,
    grandchild: await exchange(child, accessToken),
    keyChild: await exchange(client.key, 'urn:bulkhead:token-type:api-key'),
  };
}

const status = async (url: string, authorization: string, path = '/v1/accounts/me') =>
  (await world.call('GET', url + path, { headers: { authorization } })).status;
const bearer = (token: string) => `Bearer ${token}`;
const byKey = ({ key, account }: Held) => [`APIKey ${key}`, `/v1/accounts/${account}`] as const;

/** Each credential at both processes, twice: by now every one of them is remembered. */
async function used(one: Held): Promise<void> {
  for (const url of [world.url, other, world.url, other]) {
    for (const token of [one.parent, one.child, one.grandchild, one.keyChild]) expect(await status(url, bearer(token))).toBe(200);
    expect(await status(url, ...byKey(one))).toBe(200);
  }
}

type End = readonly [what: string, end: (one: Held) => Promise<unknown>, dead: readonly (keyof Held)[]];

const ENDS: readonly End[] = [
  [
    'a revoked token, with all that was exchanged from it',
    (one) => oauth.post('/v1/oauth/revoke', { token: one.child }, one),
    ['child', 'grandchild'],
  ],
  ['a revoked parent', (one) => oauth.post('/v1/oauth/revoke', { token: one.parent }, one), ['parent', 'child', 'grandchild']],
  [
    'a deleted account',
    (one) => world.call('DELETE', `/v1/accounts/${one.account}`, { headers: { authorization: `APIKey ${one.key}` } }),
    ['parent', 'child', 'grandchild', 'keyChild'],
  ],
  [
    'an account that is switched off',
    (one) =>
      world.call('PATCH', `/v1/accounts/${one.account}`, { headers: { authorization: `APIKey ${one.key}` }, body: { active: false } }),
    ['parent', 'child', 'grandchild', 'keyChild'],
  ],
  ['a deleted API key', (one) => world.meta('DELETE', `/applications/${one.id}/apikeys/${one.key}`), ['key', 'keyChild']],
  [
    'an Application that is switched off',
    (one) => world.meta('PATCH', `/applications/${one.id}`, { active: false }),
    ['parent', 'child', 'grandchild', 'keyChild', 'key'],
  ],
  ['a deleted Application', (one) => world.meta('DELETE', `/applications/${one.id}`), ['parent', 'child', 'grandchild', 'keyChild', 'key']],
];

const CREDENTIALS = ['parent', 'child', 'grandchild', 'keyChild', 'key'] as const;
const isGood = async (url: string, one: Held, which: keyof Held): Promise<boolean> =>
  (which === 'key' ? await status(url, ...byKey(one)) : await status(url, bearer(String(one[which])))) !== 401;

async function goodAt(url: string, one: Held): Promise<string[]> {
  const good: string[] = [];
  for (const which of CREDENTIALS) if (await isGood(url, one, which)) good.push(which);
  return good;
}

describe('V1, T6: what was remembered of a credential', () => {
  test.each(ENDS)(
    'of %s is worth nothing at once where that was said, and soon in the other process; the others stay good',
    async (_, end, dead) => {
      const one = await held();
      await used(one);
      expect(await end(one)).toMatchObject({ status: expect.toSatisfy((code: number) => code < 300) });
      const left = CREDENTIALS.filter((which) => !dead.includes(which));
      expect(await goodAt(world.url, one)).toEqual(left);
      await expect.poll(() => goodAt(other, one)).toEqual(left);
    },
  );

  test('lasts no longer than a second where nobody is told: every trigger lost', async () => {
    const triggers = (what: 'disable' | 'enable') =>
      runPastDoors(world.database.ownerUrl, [...TABLES].map((table) => `alter table ${table} ${what} trigger tell_change`).join(';'));
    const one = await held();
    await triggers('disable');
    await used(one);
    await oauth.post('/v1/oauth/revoke', { token: one.parent }, one);
    expect(await goodAt(world.url, one)).toEqual(['keyChild', 'key']);
    await expect.poll(() => goodAt(other, one)).toEqual(['keyChild', 'key']);
    await triggers('enable');
  });

  test('does not outlive its token: it expires by the clock of the platform, remembered or not', async () => {
    const one = await held();
    await used(one);
    world.clock.advance(3_600_000);
    expect(await goodAt(world.url, one)).toEqual(['key']);
  });
});

const TABLES = new Set(['access_tokens', 'accounts', 'credentials', 'custom_services', 'api_keys', 'applications']);

describe('everything that is remembered', () => {
  test('is asked for by this suite', async () => {
    const one = await held();
    await used(one);
    await world.call('GET', `/v1/accounts/${one.account}/proxy/me`, { headers: { authorization: bearer(one.parent) } });
    const names: string[] = [];
    for await (const path of glob('packages/platform/src/**/*.ts')) {
      const text = await readFile(path, 'utf8');
      if (!path.endsWith('.test.ts')) for (const [, name] of text.matchAll(/\brecall(?:<\w+>)?\(\s*\w+,\s*`(\w+) /g)) names.push(name!);
    }
    expect([...asked.keys()].toSorted()).toEqual(names.toSorted());
    expect(names.length).toBeGreaterThanOrEqual(4);
  });

  test('is read from tables that tell when a row is changed or deleted', async () => {
    const read = new Set([...asked.values()].flatMap((text) => [...text.matchAll(/\b(?:from|join)\s+(\w+)/g)].map(([, table]) => table!)));
    expect(read).toEqual(TABLES);
    // pg_trigger.tgtype: 1 = for each row, 8 = delete, 16 = update; 2 = before.
    const telling = await runPastDoors(
      world.database.ownerUrl,
      `select tgrelid::regclass::text as name from pg_trigger where tgname = 'tell_change' and tgenabled = 'O' and tgtype & 27 = 25`,
    );
    expect(new Set(telling.map(({ name }) => name))).toEqual(TABLES);
  });
});
