import { createHmac } from 'node:crypto';
import { queryStringHash } from '@bulkhead/protocol';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

type Json = Readonly<Record<string, unknown>>;
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

const HEADER = { typ: 'JWT', alg: 'HS256' };
const seconds = (): number => Math.floor(world.clock.now() / 1_000);
const qsh = (target = path, method = 'GET', basePath = path.slice(0, path.indexOf('/rest/'))): string =>
  queryStringHash({ method, target, basePath });
const claims = (): Json => ({ iss: 'notes', iat: seconds(), exp: seconds() + 180, qsh: qsh(), aud: [mine.clientKey] });
const encoded = (part: Json | string): string => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** A token of whatever is given, with an HMAC that is right for it. */
function made(header: Json | string, payload: Json | string, key: string | Buffer = mine.sharedSecret, hash = 'sha256'): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`;
}
const withHeader = (changes: Json): string => made({ ...HEADER, ...changes }, claims());
const withClaims = (changes: Json): string => made(HEADER, { ...claims(), ...changes });
const without = (name: string): string => made(HEADER, Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name)));

const ask = (authorization: string, target = path) => world.call('GET', target, { headers: { authorization } });

/** Everything that must not pass, by what is wrong with it. */
async function hostile(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const add = (title: string, token: string): void => void found.set(title, `JWT ${token}`);
  const good = made(HEADER, claims());
  const [h, p, s] = good.split('.') as [string, string, string];

  for (const alg of [
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    null,
    0,
    'HS384',
    'HS512',
    'RS256',
    'ES256',
    'PS256',
    'EdDSA',
    'hs256',
    'HS256 ',
    ['HS256'],
    {},
  ]) {
    add(`alg ${JSON.stringify(alg)}, signed`, withHeader({ alg }));
    add(`alg ${JSON.stringify(alg)}, unsigned`, `${encoded({ ...HEADER, alg })}.${p}.`);
    add(`alg ${JSON.stringify(alg)}, another's signature`, `${encoded({ ...HEADER, alg })}.${p}.${s}`);
  }
  for (const hash of ['sha1', 'sha384', 'sha512']) add(`signed by HMAC of ${hash}`, made(HEADER, claims(), mine.sharedSecret, hash));
  for (const [alg, hash] of [
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ] as const)
    add(`truly ${alg}`, made({ ...HEADER, alg }, claims(), mine.sharedSecret, hash));

  const kid = 'ink0123456789ABCDEFGHIJKL';
  for (const kids of [kid, '', '../../etc/passwd', 'http://evil.example/key', "' or 1=1 --", '\0', 1, null])
    add(`kid ${JSON.stringify(kids)}`, withHeader({ kid: kids }));
  const extras: Json = {
    jwk: { kty: 'oct', k: Buffer.from('x').toString('base64url') },
    jku: 'https://evil.example/jwks',
    x5u: 'https://evil.example/cert',
    x5c: ['AAAA'],
    x5t: 'AAAA',
    crit: ['exp'],
    b64: false,
    zip: 'DEF',
    cty: 'JWT',
    enc: 'A128GCM',
    __proto: 1,
  };
  for (const [name, value] of Object.entries(extras)) add(`header ${name}`, withHeader({ [name]: value }));
  for (const typ of ['at+jwt', 'dpop+jwt', 'session', 'jwt', '', 1, null]) add(`typ ${JSON.stringify(typ)}`, withHeader({ typ }));

  for (const name of ['iss', 'iat', 'exp', 'qsh']) {
    add(`no ${name}`, without(name));
    for (const value of [null, '', [], {}, true, -1, 1.5]) add(`${name} ${JSON.stringify(value)}`, withClaims({ [name]: value }));
  }
  for (const iss of ['clocks', 'Notes', 'notes ', 'unheard-of', mine.clientKey, '../notes', "notes' --"])
    add(`iss ${iss}`, withClaims({ iss }));
  for (const off of [31, 60, 3_600, 86_400]) add(`iat ${off} s ahead`, withClaims({ iat: seconds() + off, exp: seconds() + off + 100 }));
  for (const ago of [31, 181, 86_400]) add(`over for ${ago} s`, withClaims({ iat: seconds() - ago - 100, exp: seconds() - ago }));
  for (const length of [301, 3_600, 31_536_000, 2 ** 53]) add(`for ${length} s`, withClaims({ exp: seconds() + length }));
  add('exp before iat', withClaims({ iat: seconds() + 10, exp: seconds() + 5 }));
  add('times in milliseconds', withClaims({ iat: world.clock.now(), exp: world.clock.now() + 180_000 }));
  add('times as text', withClaims({ iat: String(seconds()), exp: String(seconds() + 180) }));
  add('nbf ahead', withClaims({ nbf: seconds() + 60 }));
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
  for (const [title, key] of Object.entries(keys)) add(`key ${title}`, made(HEADER, claims(), key));

  const last = s.at(-1)!;
  const twin = String.fromCharCode(last.charCodeAt(0) + 1);
  const spellings: Readonly<Record<string, string>> = {
    empty: '',
    dots: '..',
    'one part': h,
    'two parts': `${h}.${p}`,
    'four parts': `${good}.${s}`,
    'an empty signature': `${h}.${p}.`,
    'an empty payload': `${h}..${s}`,
    'an empty header': `.${p}.${s}`,
    padding: `${h}.${p}.${s}=`,
    'padding in the payload': `${h}.${p}=.${s}`,
    'a signature that ends otherwise': `${h}.${p}.${s.slice(0, -1)}${twin}`,
    'a signature that is cut': `${h}.${p}.${s.slice(0, -4)}`,
    'a signature twice': `${h}.${p}.${s}${s}`,
    'the alphabet of plain base64': `${h}.${p}.+${s.slice(1)}`,
    'a signature in hexadecimal': `${h}.${p}.${Buffer.from(s, 'base64url').toString('hex')}`,
    'parts that changed places': `${p}.${h}.${s}`,
    'another payload': `${h}.${encoded({ ...claims(), iss: 'clocks' })}.${s}`,
    'a payload with a space': `${h}.${encoded(` ${JSON.stringify(claims())}`)}.${s}`,
    'a payload that is a list': made(HEADER, '[]'),
    'a payload that is text': made(HEADER, '"notes"'),
    'a payload that is null': made(HEADER, 'null'),
    'a payload that is no JSON': made(HEADER, '{'),
    'a header that is no JSON': made('{', claims()),
    'a header that is a list': made('["HS256"]', claims()),
    'a prototype': made(HEADER, `{"__proto__":{"iss":"notes"},${JSON.stringify(claims()).slice(1)}`),
    'far too long': made(HEADER, { ...claims(), filler: 'x'.repeat(9_000) }),
    'no UTF-8': `${h}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${s}`,
  };
  for (const [title, token] of Object.entries(spellings)) add(title, token);
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
      made(HEADER, claims()),
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

  test('a token in the address is none, whatever stands in the header', async () => {
    const target = `${path}?jwt=${made(HEADER, claims())}`;
    expect((await world.call('GET', target)).status).toBe(401);
    expect((await ask(`JWT ${made(HEADER, claims(), 'x'.repeat(43))}`, target)).status).toBe(401);
  });
});
