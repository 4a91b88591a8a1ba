import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { Secret } from '@bulkhead/base';
import {
  decodeAsymmetric,
  decodeSymmetric,
  encodeAsymmetric,
  encodeSymmetric,
  AsymmetricAlgorithm,
  SymmetricAlgorithm,
} from 'atlassian-jwt';
import { describe, expect, test } from 'vitest';
import {
  type ConnectClaims,
  type ConnectJwtRules,
  jwtDigest,
  readConnectJwt,
  sharedSecretKey,
  signConnectJwt,
  verifyConnectJwt,
} from './connect-jwt.ts';

const now = 1_800_000_000;
const secret = 'a-shared-secret-of-more-than-thirty-two-bytes';
const key = sharedSecretKey(new Secret(secret));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const claims: ConnectClaims = { iss: 'tenant', iat: now, exp: now + 180, qsh: 'q', context: { user: 'é' } };
const request: ConnectJwtRules = { algorithm: 'HS256', key, now, lifetimeSecondsMax: 900, audience: { absentOr: ['https://app.example'] } };
const lifecycle: ConnectJwtRules = {
  algorithm: 'RS256',
  key: rsa.publicKey,
  now,
  lifetimeSecondsMax: 900,
  audience: { is: ['https://app.example'] },
};
const install = { ...claims, aud: ['https://app.example'] };

function verified(token: string, rules: ConnectJwtRules) {
  const read = readConnectJwt(token);
  return 'refused' in read ? read : verifyConnectJwt(read, rules);
}

/** A token whose parts are written as they are given, with a good HMAC. */
function raw(header: unknown, payload: unknown, by: string = secret): string {
  const part = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${createHmac('sha256', by).update(input).digest('base64url')}`;
}
const header = { typ: 'JWT', alg: 'HS256' };

describe('a token of Connect', () => {
  test("ours is read by Atlassian's library, and theirs by ours, in both algorithms", () => {
    expect(decodeSymmetric(signConnectJwt({ algorithm: 'HS256', key }, claims), secret, SymmetricAlgorithm.HS256)).toEqual(claims);
    expect(verified(encodeSymmetric(claims, secret), request)).toEqual({ claims });
    const ours = signConnectJwt({ algorithm: 'RS256', key: rsa.privateKey, kid: 'k-1' }, install);
    expect(decodeAsymmetric(ours, pem, AsymmetricAlgorithm.RS256)).toEqual(install);
    expect(verified(encodeAsymmetric(install, privatePem, AsymmetricAlgorithm.RS256, { kid: 'k-1' }), lifecycle)).toEqual({
      claims: install,
    });
  });

  test.each<[string, string, Record<string, unknown>]>([
    ['algorithm', 'HS512', { alg: 'HS512' }],
    ['algorithm', 'none', { alg: 'none' }],
    ['algorithm', 'hs256', { alg: 'hs256' }],
    ['header', 'no algorithm', { alg: undefined }],
    ['header', 'jwk', { jwk: { kty: 'oct', k: 'AA' } }],
    ['header', 'jku', { jku: 'https://evil.example' }],
    ['header', 'x5u', { x5u: 'https://evil.example' }],
    ['header', 'crit', { crit: ['exp'] }],
    ['header', 'b64', { b64: false }],
    ['header', 'a kid that is no text', { kid: 1 }],
    ['key_id', 'a kid', { kid: 'k-1' }],
    ['type', 'another typ', { typ: 'at+jwt' }],
    ['type', 'typ in lower case', { typ: 'jwt' }],
  ])('refused as %s: %s', (problem, _, changed) => {
    expect(verified(raw({ ...header, ...changed }, claims), request)).toEqual({ refused: problem });
    expect(verified(raw(header, claims), request)).toEqual({ claims });
  });

  test.each<[string, string, Record<string, unknown>]>([
    ['claims', 'no iat', { iat: undefined }],
    ['claims', 'no exp', { exp: undefined }],
    ['claims', 'no iss', { iss: undefined }],
    ['claims', 'an empty iss', { iss: '' }],
    ['claims', 'exp as text', { exp: String(now + 180) }],
    ['claims', 'iat with a fraction', { iat: now + 0.5 }],
    ['claims', 'a negative iat', { iat: -1 }],
    ['claims', 'sub that is no text', { sub: { a: 1 } }],
    ['claims', 'qsh as list', { qsh: ['q'] }],
    ['claims', 'an empty aud', { aud: [] }],
    ['claims', 'aud of numbers', { aud: [1] }],
    ['claims', 'nbf as text', { nbf: '0' }],
    ['not_yet', 'iat 31 s ahead', { iat: now + 31, exp: now + 60 }],
    ['not_yet', 'nbf 31 s ahead', { nbf: now + 31 }],
    ['expired', 'expired 30 s ago', { iat: now - 100, exp: now - 30 }],
    ['lifetime', 'exp before iat', { iat: now + 10, exp: now }],
    ['lifetime', 'a life of 901 s', { exp: now + 901 }],
    ['audience', "somebody else's aud", { aud: ['https://other.example'] }],
    ['audience', 'a prefix of ours', { aud: ['https://app.exampl'] }],
    ['audience', 'ours with a slash', { aud: 'https://app.example/' }],
    ['audience', 'ours beside another', { aud: ['https://app.example', 'https://other.example'] }],
  ])('refused as %s: %s', (problem, _, changed) => {
    expect(verified(raw(header, { ...claims, ...changed }), request)).toEqual({ refused: problem });
  });

  test.each<[string, Record<string, unknown>]>([
    ['iat 30 s ahead', { iat: now + 30 }],
    ['expired 29 s ago', { iat: now - 100, exp: now - 29 }],
    ['a life of 900 s', { exp: now + 900 }],
    ['our aud as text', { aud: 'https://app.example' }],
  ])('within the bounds: %s', (_, changed) => {
    expect(verified(raw(header, { ...claims, ...changed }), request)).toMatchObject({ claims: { iss: 'tenant' } });
  });

  const good = raw(header, claims);
  const [first = '', second = '', third = ''] = good.split('.');
  test.each([
    ['length', 'more than 8 KiB', raw(header, { ...claims, pad: 'x'.repeat(8192) })],
    ['parts', 'two parts', `${first}.${second}`],
    ['parts', 'no signature', `${first}.${second}.`],
    ['parts', 'four parts', `${good}.`],
    ['parts', 'nothing', ''],
    ['encoding', 'padding', `${good}=`],
    ['encoding', 'a line break', `${good}\n`],
    ['encoding', 'a space in front', ` ${good}`],
    ['encoding', 'the other alphabet', raw(header, { ...claims, a: '\u00fb\u00ef\u00be' }).replace(/[-_]/, '+')],
    ['encoding', 'unused bits that are set', `${first}.${second}.${third.slice(0, -1)}${next(third.at(-1))}`],
    ['json', 'a payload that is no JSON', raw(header, '{')],
    ['json', 'a payload that is a list', raw(header, '[]')],
    ['json', '__proto__', raw(header, `{"__proto__":{"iss":"x"},${JSON.stringify(claims).slice(1)}`)],
    ['signature', 'another secret', raw(header, claims, 'another secret')],
    ['signature', 'a signature cut short', `${first}.${second}.${third.slice(0, 20)}`],
    ['signature', 'the public key as a secret', raw(header, claims, pem)],
  ])('refused as %s: %s', (problem, _, token) => {
    expect(verified(token, request)).toEqual({ refused: problem });
    expect(verified(good, request)).toEqual({ claims });
  });

  test('the algorithm is the verifier’s, and a key of the other kind is a mistake of the program', () => {
    expect(verified(raw(header, install, pem), lifecycle)).toEqual({ refused: 'algorithm' });
    expect(verified(signConnectJwt({ algorithm: 'RS256', key: rsa.privateKey, kid: 'k' }, claims), request)).toEqual({
      refused: 'algorithm',
    });
    expect(() => verified(good, { ...request, key: createPublicKey(pem) })).toThrow(TypeError);
    expect(() => verified(good, { ...lifecycle, key: createSecretKey(Buffer.from(pem)) })).toThrow(TypeError);
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
    expect(() => verified(good, { ...lifecycle, key: short.publicKey })).toThrow(TypeError);
    expect(() => verified(good, { ...request, leewaySeconds: 31 })).toThrow(RangeError);
  });

  test('a claim does not look like a refusal', () => {
    expect(verified(raw(header, { ...claims, refused: 'signature' }), request)).toEqual({ claims: { ...claims, refused: 'signature' } });
  });

  test('RS256 without kid is refused; so is an install token without aud', () => {
    const anonymous = encodeAsymmetric(install, privatePem, AsymmetricAlgorithm.RS256);
    expect(verified(anonymous, lifecycle)).toEqual({ refused: 'key_id' });
    const forNobody = signConnectJwt({ algorithm: 'RS256', key: rsa.privateKey, kid: 'k' }, claims);
    expect(verified(forNobody, lifecycle)).toEqual({ refused: 'audience' });
  });

  test('a token of a type counts under that type only', () => {
    const session = signConnectJwt({ algorithm: 'HS256', key, type: 'app-session+jwt' }, claims);
    expect(verified(session, request)).toEqual({ refused: 'type' });
    expect(verified(good, { ...request, type: 'app-session+jwt' })).toEqual({ refused: 'type' });
    expect(verified(session, { ...request, type: 'app-session+jwt' })).toEqual({ claims });
  });

  test('I4: the digest is that of what was signed', () => {
    const read = (token: string) => readConnectJwt(token) as Exclude<ReturnType<typeof readConnectJwt>, { refused: unknown }>;
    expect(jwtDigest(read(good))).toMatch(/^[0-9a-f]{64}$/);
    expect(jwtDigest(read(good))).toBe(jwtDigest(read(`${first}.${second}.AAAA`)));
    expect(jwtDigest(read(good))).not.toBe(jwtDigest(read(raw(header, { ...claims, iat: now + 1 }))));
  });
});

/** The character after it in the alphabet: the same bytes to a lenient decoder, since the last two bits of 32 bytes are unused. */
function next(character = 'A'): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(character) + 1] ?? '';
}
