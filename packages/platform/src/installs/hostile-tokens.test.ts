import { sql } from '@bulkhead/postgres';
import { queryStringHash } from '@bulkhead/protocol';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetUninstalled } from './forget-uninstalled.ts';
import { hostileJwts, type Json, JWT_HEADER, madeJwt } from '../../test/hostile-jwts.ts';

interface Told {
  readonly clientKey: string;
  readonly sharedSecret: string;
}

let app: FakeApp;
let other: FakeApp;
let world: World;
let path: string;
let mine: Told;
let elsewhere: Told;
let foreign: Told;

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  other = await startFakeApp({ key: 'clocks' });
  world = await World.create({ egressAllow: [app.address, other.address] });
  for (const { descriptor } of [app, other]) await world.meta('POST', '/apps', { descriptor });
  const told = async (of: FakeApp, applicationId: string): Promise<Told> => {
    expect((await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: of.key })).status).toBe(201);
    return of.calls.at(-1)!.body;
  };
  const [first, second] = [await world.application(), await world.application()];
  mine = await told(app, first.id);
  elsewhere = await told(app, second.id);
  foreign = await told(other, first.id);
  await world.platform.runDueDeliveries();
  path = `/t/${first.id}/rest/atlassian-connect/1/addons/notes/properties`;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const seconds = (): number => Math.floor(world.clock.now() / 1_000);
const qsh = (target = path, method = 'GET', basePath = path.slice(0, path.indexOf('/rest/'))): string =>
  queryStringHash({ method, target, basePath });
const claims = (): Json & { readonly iat: number } => ({
  iss: 'notes',
  iat: seconds(),
  exp: seconds() + 180,
  qsh: qsh(),
  aud: [mine.clientKey],
});

const made = (header: Json, payload: Json, key = mine.sharedSecret): string => madeJwt(header, payload, key);
const withClaims = (changes: Json): string => made(JWT_HEADER, { ...claims(), ...changes });
const without = (name: string): string => made(JWT_HEADER, Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name)));

const ask = (authorization: string, target = path) => world.call('GET', target, { headers: { authorization } });

/** Everything that must not pass, by what is wrong with it. */
async function hostile(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const add = (title: string, token: string): void => void found.set(title, `JWT ${token}`);
  const good = made(JWT_HEADER, claims());
  for (const name of ['iss', 'iat', 'exp', 'qsh']) {
    add(`no ${name}`, without(name));
    for (const value of [null, '', [], {}, true, -1, 1.5]) add(`${name} ${JSON.stringify(value)}`, withClaims({ [name]: value }));
  }
  for (const iss of ['clocks', 'Notes', 'notes ', 'unheard-of', mine.clientKey, '../notes', "notes' --"])
    add(`iss ${iss}`, withClaims({ iss }));
  for (const aud of [
    elsewhere.clientKey,
    foreign.clientKey,
    'notes',
    '',
    [],
    [mine.clientKey, elsewhere.clientKey],
    [elsewhere.clientKey, mine.clientKey],
    [[mine.clientKey]],
    1,
    {},
    `${mine.clientKey} `,
  ])
    add(`aud ${JSON.stringify(aud)}`, withClaims({ aud }));
  const hashes: Json = {
    context: 'context-qsh',
    'upper case': qsh().toUpperCase(),
    'of another method': qsh(path, 'POST'),
    'of another path': qsh(`${path}/note`),
    'of a query': qsh(`${path}?a=1`),
    'of the path with the base': qsh(path, 'GET', ''),
    'of the base of another Application': qsh(path.replace(/app\w+/, 'app0000000000000000000000')),
    cut: qsh().slice(0, 63),
  };
  for (const [title, value] of Object.entries(hashes)) add(`qsh ${title}`, withClaims({ qsh: value }));

  const pem = (
    await world.call(
      'GET',
      `/keys/${JSON.parse(Buffer.from(app.calls[0]!.authorization!.slice(4).split('.')[0]!, 'base64url').toString()).kid}`,
    )
  ).text;
  const keys: Readonly<Record<string, string | Buffer>> = {
    'of the same App in another Application': elsewhere.sharedSecret,
    'of another App': foreign.sharedSecret,
    'of nobody': 'x'.repeat(43),
    empty: '',
    'in other case': mine.sharedSecret.toUpperCase(),
    'with a line end': `${mine.sharedSecret}\n`,
    decoded: Buffer.from(mine.sharedSecret, 'base64url'),
    'that is our public key': pem,
    'that is our public key, trimmed': pem.trim(),
    'that is the clientKey': mine.clientKey,
  };
  for (const [title, token] of hostileJwts({ claims, secret: mine.sharedSecret, keys, lifetimeSecondsMax: 300 })) add(title, token);
  for (const scheme of ['Bearer', 'Basic', 'DPoP', 'APIKey', 'DeveloperKey', 'Digest', 'JWT JWT', ''])
    found.set(`the scheme "${scheme}"`, `${scheme} ${good}`.trim());
  found.set('two tokens', `JWT ${good}, JWT ${good}`);
  // I2: what we sent to the App is no credential with us.
  for (const { path: to, authorization } of app.calls) found.set(`our own token of ${to}`, authorization!);
  return found;
}

describe('I1, I2: tokens that are not for us', () => {
  test('none of hundreds passes, and all are answered alike', { timeout: 60_000 }, async () => {
    const tokens = await hostile();
    expect(tokens.size).toBeGreaterThan(170);
    const passed: string[] = [];
    const answers = new Set<string>();
    for (const [title, authorization] of tokens) {
      const { status, json, text } = await ask(authorization);
      if (status !== 401) passed.push(`${title}: ${status} ${text.slice(0, 200)}`);
      else if (authorization.startsWith('JWT ')) answers.add(`${json.code} ${json.message}`);
    }
    expect(passed).toEqual([]);
    expect([...answers]).toHaveLength(1);
  });

  test('control: what is in order passes, also with a clock that is a little off', async () => {
    const fit = [
      made(JWT_HEADER, claims()),
      without('aud'),
      withClaims({ aud: mine.clientKey }),
      withClaims({ iat: seconds() + 29, exp: seconds() + 200 }),
      withClaims({ iat: seconds() - 200, exp: seconds() - 29 }),
      withClaims({ exp: seconds() + 300 }),
      withClaims({ sub: 'somebody', context: {}, jti: 'one' }),
      made({ alg: 'HS256' }, claims()),
    ];
    for (const token of fit) expect([token, (await ask(`JWT ${token}`)).status]).toEqual([token, 200]);
  });

  test('I4: one that has a jti counts once, even of twenty at once; one that has none may come again for five seconds, as such Apps make it', async () => {
    const once = `JWT ${withClaims({ jti: 'once' })}`;
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => ask(once)))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 19 }, () => 401)]);
    const [h, p, s] = once.slice(4).split('.') as [string, string, string];
    for (const same of [`${h}.${p}.${s}`, `${h}.${p}.${s}=`, `${h}=.${p}.${s}`]) expect((await ask(`JWT ${same}`)).status).toBe(401);
    const plain = `JWT ${withClaims({ exp: seconds() + 299 })}`;
    expect([(await ask(plain)).status, (await ask(plain)).status]).toEqual([200, 200]);
    world.clock.advance(5_001);
    expect((await ask(plain)).status).toBe(401);
    // Control: it is not over; what was made now passes, and so does the same App with another jti.
    expect((await ask(`JWT ${withClaims({ exp: seconds() + 298 })}`)).status).toBe(200);
    expect((await ask(`JWT ${withClaims({ jti: 'another' })}`)).status).toBe(200);
  });

  test('I4: what was used is forgotten when nobody would accept it any more, and not before', async () => {
    const held = async () =>
      (
        await world.platform.db.withSystem('count what was used', (tx) =>
          tx.one<{ held: number }>(sql`select count(*)::int as held from app_token_uses`),
        )
      ).held;
    const before = await held();
    expect(before).toBeGreaterThan(0);
    const ahead = `JWT ${withClaims({ iat: seconds() + 29, exp: seconds() + 329, jti: 'ahead' })}`;
    expect((await ask(ahead)).status).toBe(200);
    world.clock.advance(358_000);
    await forgetUninstalled(world.platform.db, new Date(world.clock.now()));
    expect((await ask(ahead)).status).toBe(401);
    expect(await held()).toBeLessThan(before);
    world.clock.advance(3_000);
    await forgetUninstalled(world.platform.db, new Date(world.clock.now()));
    expect(await held()).toBe(0);
  });

  test('a token in the address is none, whatever stands in the header', async () => {
    const target = `${path}?jwt=${made(JWT_HEADER, claims())}`;
    expect((await world.call('GET', target)).status).toBe(401);
    expect((await ask(`JWT ${made(JWT_HEADER, claims(), 'x'.repeat(43))}`, target)).status).toBe(401);
  });
});
