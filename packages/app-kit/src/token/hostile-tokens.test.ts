import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { ManualClock, Secret } from '@bulkhead/base';
import { CONTEXT_QSH } from '@bulkhead/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AppKit, createAppKit } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';
import { defineDescriptor } from '../descriptor.ts';
import { memoryTenantStore } from '../store/memory-tenant-store.ts';
import { FakeHost, type FakeTenant } from '../testkit/fake-host.ts';

const key = 'issue-notes';
const appBaseUrl = 'https://app.example/notes';
const clock = new ManualClock();
const now = Math.floor(clock.now() / 1000);
const host = new FakeHost({ appKey: key, appBaseUrl, clock });
const store = memoryTenantStore({ appKey: key });
const kit: AppKit = createAppKit({
  descriptor: defineDescriptor({ key, baseUrl: appBaseUrl }),
  issuers: [host.issuer],
  store,
  sessionSecret: new Secret('a session secret of thirty-two characters'),
  fetch: host.fetch,
  clock,
});
const tenant: FakeTenant = host.tenant('tenant-a');
const other: FakeTenant = host.tenant('tenant-b');
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

type Json = Readonly<Record<string, unknown>>;
interface Forgery {
  readonly header: Json;
  readonly claims: Json;
  /** Over `header.payload`. */
  readonly seal: (input: string) => Buffer;
}

const part = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const token = ({ header, claims, seal }: Forgery) => {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${seal(input).toString('base64url')}`;
};
const hs =
  (secret: string | Buffer, hash = 'sha256') =>
  (input: string) =>
    createHmac(hash, secret).update(input).digest();
const rs =
  (by = host.privateKey, hash = 'sha256') =>
  (input: string) =>
    sign(hash, Buffer.from(input), by);

/** A verifier, what a good token for it says, and how it is shown one. */
interface Door {
  readonly name: string;
  good(): Forgery;
  show(text: string): Promise<unknown>;
}

let serial = 0;
let sessionClaims: Json;
let sessionSeal: (input: string) => Buffer;

const at = (method: string, rawTarget: string, authorization: string, body = ''): AppRequest => ({
  method,
  rawTarget,
  headers: { authorization },
  body: Buffer.from(body),
});

const doors: readonly Door[] = [
  {
    name: 'request',
    good: () => ({
      header: { typ: 'JWT', alg: 'HS256' },
      claims: { iss: 'tenant-a', iat: now, exp: now + 180, qsh: tenant.qsh('GET', '/notes/page'), sub: 'u', jti: `${serial++}` },
      seal: hs(tenant.sharedSecret.reveal()),
    }),
    show: (text) => kit.verifyRequest(at('GET', '/notes/page', `JWT ${text}`)),
  },
  {
    name: 'context',
    good: () => ({
      header: { typ: 'JWT', alg: 'HS256' },
      claims: { iss: 'tenant-a', iat: now, exp: now + 900, qsh: CONTEXT_QSH, sub: 'u' },
      seal: hs(tenant.sharedSecret.reveal()),
    }),
    show: (text) => kit.verifyContext(at('GET', '/notes/page', `JWT ${text}`)),
  },
  {
    name: 'lifecycle',
    good: () => ({
      header: { typ: 'JWT', alg: 'RS256', kid: host.kid },
      claims: {
        iss: 'tenant-a',
        iat: now,
        exp: now + 180,
        aud: [appBaseUrl],
        qsh: tenant.qsh('POST', '/notes/installed'),
        jti: `${serial++}`,
      },
      seal: rs(),
    }),
    async show(text) {
      const { baseUrl, sharedSecret } = tenant;
      const body = { key, clientKey: 'tenant-a', eventType: 'installed', baseUrl, sharedSecret: sharedSecret.reveal() };
      const answer = await kit.answer(at('POST', '/notes/installed', `JWT ${text}`, JSON.stringify(body)));
      if (answer?.status !== 204) throw Object.assign(new Error('refused'), { status: answer?.status });
      return answer;
    },
  },
  {
    name: 'session',
    good: () => ({ header: { typ: 'app-session+jwt', alg: 'HS256' }, claims: sessionClaims, seal: sessionSeal }),
    show: (text) => kit.verifySession(at('GET', '/notes/page', `Bearer ${text}`)),
  },
];

const pem = createPublicKey(host.publicKeyPem).export({ type: 'spki', format: 'pem' }).toString();
const der = createPublicKey(host.publicKeyPem).export({ type: 'spki', format: 'der' });

type Mutation = readonly [name: string, forge: (good: Forgery) => string];
const withHeader = (changed: Json) => (good: Forgery) => token({ ...good, header: { ...good.header, ...changed } });
const withClaims = (changed: Json) => (good: Forgery) => token({ ...good, claims: { ...good.claims, ...changed } });
const withText = (change: (text: string, parts: readonly [string, string, string]) => string) => (good: Forgery) => {
  const text = token(good);
  return change(text, text.split('.') as [string, string, string]);
};

const algorithms: readonly Mutation[] = [
  ...[
    'none',
    'None',
    'NONE',
    '',
    'hs256',
    'rs256',
    'HS1',
    'HS384',
    'HS512',
    'RS384',
    'RS512',
    'PS256',
    'ES256',
    'EdDSA',
    'dir',
    'HS256 ',
    '\u0000HS256',
  ].map((alg): Mutation => [`alg ${JSON.stringify(alg)}`, withHeader({ alg })]),
  ['alg absent', withHeader({ alg: undefined })],
  ['alg null', withHeader({ alg: null })],
  ['alg a list', withHeader({ alg: ['HS256'] })],
  ['alg none and no signature', (good) => `${part({ ...good.header, alg: 'none' })}.${part(good.claims)}.`],
  ['HS256 keyed by the PEM', (good) => token({ ...good, header: { ...good.header, alg: 'HS256' }, seal: hs(pem) })],
  ['HS256 keyed by the trimmed PEM', (good) => token({ ...good, header: { ...good.header, alg: 'HS256' }, seal: hs(pem.trim()) })],
  ['HS256 keyed by the DER', (good) => token({ ...good, header: { ...good.header, alg: 'HS256' }, seal: hs(der) })],
  ['HS256 keyed by nothing', (good) => token({ ...good, header: { typ: 'JWT', alg: 'HS256' }, seal: hs('') })],
  ['HS256 keyed by the kid', (good) => token({ ...good, header: { ...good.header, alg: 'HS256' }, seal: hs(host.kid) })],
  ['HS256 keyed by the clientKey', (good) => token({ ...good, header: { typ: 'JWT', alg: 'HS256' }, seal: hs('tenant-a') })],
  [
    "HS256 keyed by another tenant's secret",
    (good) => token({ ...good, header: { typ: 'JWT', alg: 'HS256' }, seal: hs(other.sharedSecret.reveal()) }),
  ],
  [
    'HS512 under its own name',
    (good) => token({ ...good, header: { ...good.header, alg: 'HS512' }, seal: hs(tenant.sharedSecret.reveal(), 'sha512') }),
  ],
  [
    'HS512 under the name of HS256',
    (good) => token({ ...good, header: { typ: 'JWT', alg: 'HS256' }, seal: hs(tenant.sharedSecret.reveal(), 'sha512') }),
  ],
  [
    "RS256 by a stranger's key",
    (good) => token({ ...good, header: { typ: 'JWT', alg: 'RS256', kid: host.kid }, seal: rs(stranger.privateKey) }),
  ],
  [
    'RS512 under the name of RS256',
    (good) => token({ ...good, header: { typ: 'JWT', alg: 'RS256', kid: host.kid }, seal: rs(host.privateKey, 'sha512') }),
  ],
];

const jwk = stranger.publicKey.export({ format: 'jwk' });
const headers: readonly Mutation[] = [
  ['jwk', withHeader({ jwk })],
  [
    "jwk with the stranger's signature",
    (good) => token({ ...good, header: { ...good.header, alg: 'RS256', kid: host.kid, jwk }, seal: rs(stranger.privateKey) }),
  ],
  ['jku', withHeader({ jku: 'https://evil.example/jwks' })],
  ['x5u', withHeader({ x5u: 'https://evil.example/x5u' })],
  ['x5c', withHeader({ x5c: ['MIIB'] })],
  ['x5t', withHeader({ x5t: 'AAAA' })],
  ['crit', withHeader({ crit: ['exp'] })],
  ['crit, empty', withHeader({ crit: [] })],
  ['b64', withHeader({ b64: false, crit: ['b64'] })],
  ['zip', withHeader({ zip: 'DEF' })],
  ['cty', withHeader({ cty: 'JWT' })],
  ['enc', withHeader({ enc: 'A128GCM' })],
  [
    '__proto__',
    (good) =>
      `${part(JSON.stringify(good.header).replace('{', '{"__proto__":{"alg":"none"},'))}.${token(good).split('.').slice(1).join('.')}`,
  ],
  ...[
    '../x',
    '/etc/passwd',
    'a b',
    'a\nb',
    "' or 1=1 --",
    '%2e%2e',
    'https://evil.example/k',
    'k'.repeat(129),
    'k'.repeat(300),
    '',
    '\u0000',
  ].map((kid): Mutation => [`kid ${JSON.stringify(kid.slice(0, 20))} (${kid.length})`, withHeader({ kid })]),
  ['kid a number', withHeader({ kid: 7 })],
  ['kid a list', withHeader({ kid: [host.kid] })],
  ['kid of nobody', withHeader({ kid: 'nobody' })],
  ['typ of a DPoP proof', withHeader({ typ: 'dpop+jwt' })],
  ['typ of an access token', withHeader({ typ: 'at+jwt' })],
  ['typ a number', withHeader({ typ: 1 })],
];

const claims: readonly Mutation[] = [
  ...['iss', 'iat', 'exp'].flatMap((name): Mutation[] => [
    [`${name} absent`, withClaims({ [name]: undefined })],
    [`${name} null`, withClaims({ [name]: null })],
    [`${name} an object`, withClaims({ [name]: {} })],
    [`${name} a list`, withClaims({ [name]: ['tenant-a'] })],
    [`${name} empty`, withClaims({ [name]: '' })],
    [`${name} true`, withClaims({ [name]: true })],
  ]),
  ['iss another tenant', withClaims({ iss: 'tenant-b' })],
  ['iss in another case', withClaims({ iss: 'TENANT-A' })],
  ['iss with a space', withClaims({ iss: 'tenant-a ' })],
  ['iss with a null byte', withClaims({ iss: 'tenant-a\u0000' })],
  ['iss __proto__', withClaims({ iss: '__proto__' })],
  ['iss constructor', withClaims({ iss: 'constructor' })],
  ['iss nobody', withClaims({ iss: 'nobody' })],
  ['exp as text', withClaims({ exp: String(now + 180) })],
  ['exp with a fraction', withClaims({ exp: now + 180.5 })],
  ['exp negative', withClaims({ exp: -1 })],
  ['exp beyond every number', withClaims({ exp: 2 ** 60 })],
  ['expired long ago', withClaims({ iat: now - 4000, exp: now - 3900 })],
  ['expired 31 s ago', withClaims({ iat: now - 200, exp: now - 31 })],
  ['expired 30 s ago', withClaims({ iat: now - 200, exp: now - 30 })],
  ['exp before iat', withClaims({ iat: now + 20, exp: now + 10 })],
  ['exp equal to iat', withClaims({ iat: now, exp: now })],
  ['iat 31 s ahead', withClaims({ iat: now + 31, exp: now + 100 })],
  ['iat an hour ahead', withClaims({ iat: now + 3600, exp: now + 3700 })],
  ['iat in milliseconds', withClaims({ iat: now * 1000, exp: now * 1000 + 180_000 })],
  ['a life of an hour', withClaims({ exp: now + 3600 })],
  ['a life of ten years', withClaims({ iat: 0 })],
  ['a life of 901 s', withClaims({ exp: now + 901 })],
  ['nbf ahead', withClaims({ nbf: now + 60 })],
  ['nbf as text', withClaims({ nbf: 'soon' })],
  ['aud another App', withClaims({ aud: ['https://other.example'] })],
  ['aud a prefix', withClaims({ aud: ['https://app.example'] })],
  ['aud an extension', withClaims({ aud: [`${appBaseUrl}.evil.example`] })],
  ['aud with a slash', withClaims({ aud: [`${appBaseUrl}/`] })],
  ['aud in upper case', withClaims({ aud: [appBaseUrl.toUpperCase()] })],
  ['aud ours beside another', withClaims({ aud: [appBaseUrl, 'https://other.example'] })],
  ['aud another beside ours', withClaims({ aud: ['https://other.example', appBaseUrl] })],
  ['aud empty', withClaims({ aud: [] })],
  ['aud the tenant', withClaims({ aud: ['tenant-a'] })],
  ['aud a number', withClaims({ aud: 1 })],
  ['aud null', withClaims({ aud: null })],
  ['aud an object', withClaims({ aud: { 0: appBaseUrl } })],
  ['aud nested', withClaims({ aud: [[appBaseUrl]] })],
  ['sub a number', withClaims({ sub: 1 })],
  ['sub an object', withClaims({ sub: { id: 'u' } })],
  ['jti a number', withClaims({ jti: 1 })],
  ['qsh a list', withClaims({ qsh: ['context-qsh'] })],
  ['qsh null', withClaims({ qsh: null })],
  [
    'a payload with __proto__',
    (good) => {
      const input = `${part(good.header)}.${part(JSON.stringify(good.claims).replace('{', '{"__proto__":{"iss":"tenant-b"},'))}`;
      return `${input}.${good.seal(input).toString('base64url')}`;
    },
  ],
  ['a payload that is text', (good) => token({ ...good, claims: '"tenant-a"' as unknown as Json })],
  ['a payload that is null', (good) => token({ ...good, claims: 'null' as unknown as Json })],
  ['a payload that is a list', (good) => token({ ...good, claims: '[]' as unknown as Json })],
  ['a payload with a mark of byte order', (good) => token({ ...good, claims: `\ufeff${JSON.stringify(good.claims)}` as unknown as Json })],
  [
    'a payload that is no UTF-8',
    (good) => {
      const bytes = Buffer.concat([
        Buffer.from(JSON.stringify({ ...good.claims, pad: '' }).slice(0, -2)),
        Buffer.from([0xff]),
        Buffer.from('"}'),
      ]);
      const input = `${part(good.header)}.${bytes.toString('base64url')}`;
      return `${input}.${good.seal(input).toString('base64url')}`;
    },
  ],
  ['9 KiB', withClaims({ pad: 'x'.repeat(9_000) })],
];

const spellings: readonly Mutation[] = [
  ['padding', withText((text) => `${text}=`)],
  ['a space in front', withText((text) => ` ${text}`)],
  ['a space behind', withText((text) => `${text} `)],
  ['a line break behind', withText((text) => `${text}\n`)],
  ['a null byte behind', withText((text) => `${text}\u0000`)],
  ['a dot behind', withText((text) => `${text}.`)],
  ['a dot in front', withText((text) => `.${text}`)],
  ['five parts', withText((text) => `${text}.a.b`)],
  ['no signature', withText((_, [header, payload]) => `${header}.${payload}.`)],
  ['two parts', withText((_, [header, payload]) => `${header}.${payload}`)],
  ['no payload', withText((_, [header, , signature]) => `${header}..${signature}`)],
  ['no header', withText((_, [, payload, signature]) => `.${payload}.${signature}`)],
  ['nothing', () => ''],
  ['dots', () => '..'],
  ['the classic alphabet', withText((_, [header, payload, signature]) => `${header}.${payload}+.${signature}`)],
  ['a padded payload', withText((_, [header, payload, signature]) => `${header}.${payload}=.${signature}`)],
  ['escaped dots', withText((text) => text.replaceAll('.', '%2E'))],
  ['twice, by comma', withText((text) => `${text}, ${text}`)],
  ['twice, by comma with scheme', withText((text) => `${text}, JWT ${text}`)],
  ['in quotes', withText((text) => `"${text}"`)],
  ['a signature cut to 16 bytes', withText((_, [header, payload, signature]) => `${header}.${payload}.${signature.slice(0, 22)}`)],
  [
    'a signature with a byte more',
    withText(
      (_, [header, payload, signature]) =>
        `${header}.${payload}.${Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.from([0])]).toString('base64url')}`,
    ),
  ],
  [
    'the signature in hexadecimal',
    withText((_, [header, payload, signature]) => `${header}.${payload}.${Buffer.from(signature, 'base64url').toString('hex')}`),
  ],
  ...[0, 1, 2].flatMap((which) =>
    [0.1, 0.5, 0.9].map(
      (where): Mutation => [
        `a bit of part ${which + 1} flipped at ${where}`,
        withText((_, parts) => {
          const bytes = Buffer.from(parts[which] ?? '', 'base64url');
          const index = Math.floor(bytes.length * where);
          bytes[index] = (bytes[index] ?? 0) ^ 1;
          return parts.map((one, part_) => (part_ === which ? bytes.toString('base64url') : one)).join('.');
        }),
      ],
    ),
  ),
];

const mutations = [...algorithms, ...headers, ...claims, ...spellings];

beforeAll(async () => {
  for (const one of [tenant, other]) expect((await kit.answer(one.installed()))?.status).toBe(204);
  const session = kit.issueSession(await kit.verifyRequest(tenant.request('GET', '/notes/page')));
  sessionClaims = JSON.parse(Buffer.from(session.split('.')[1] ?? '', 'base64url').toString()) as Json;
  sessionSeal = hs(kit.settings.sessionKey.export());
});

describe.each(doors.map((door) => [door.name, door] as const))('%s', (name, door) => {
  test('control: the token that all others are made of is accepted', async () => {
    for (const text of [token(door.good()), token(door.good())]) expect(await door.show(text)).toBeDefined();
  });

  test.each(mutations)('refused: %s', async (_, forge) => {
    await expect(door.show(forge(door.good()))).rejects.toMatchObject({ status: 401 });
  });

  test.each(doors.filter((from) => from.name !== name).map((from) => [from.name, from] as const))(
    'refused: a good token for %s',
    async (_, from) => {
      await expect(door.show(token(from.good()))).rejects.toMatchObject({ status: 401 });
    },
  );
});

test('the table has 300 rows and more', () => {
  expect(mutations.length * doors.length).toBeGreaterThanOrEqual(300);
});
