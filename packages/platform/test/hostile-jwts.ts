import { createHmac } from 'node:crypto';

export type Json = Readonly<Record<string, unknown>>;

export const JWT_HEADER: Json = { typ: 'JWT', alg: 'HS256' };
const KID = 'ink0123456789ABCDEFGHIJKL';

export const encodedPart = (part: Json | string): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** A token of whatever is given, with an HMAC that is right for it. */
export function madeJwt(header: Json | string, payload: Json | string, key: string | Buffer, hash = 'sha256'): string {
  const input = `${encodedPart(header)}.${encodedPart(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`;
}

/**
 * What must not pass wherever a token HS256 is read, by what is wrong with it: algorithms, headers, times, keys, spellings. `claims` are those of
 * one that is in order, made anew each time; `lifetimeSecondsMax` is the longest that passes; `keys` sign nothing that passes.
 */
export function hostileJwts({
  claims,
  secret,
  keys,
  lifetimeSecondsMax,
}: {
  claims: () => Json & { readonly iat: number };
  secret: string;
  keys: Readonly<Record<string, string | Buffer>>;
  lifetimeSecondsMax: number;
}): Map<string, string> {
  const found = new Map<string, string>();
  const add = (title: string, token: string): void => void found.set(title, token);
  const withHeader = (changes: Json): string => madeJwt({ ...JWT_HEADER, ...changes }, claims(), secret);
  const withClaims = (changes: Json): string => madeJwt(JWT_HEADER, { ...claims(), ...changes }, secret);
  const { iat: now } = claims();
  const good = madeJwt(JWT_HEADER, claims(), secret);
  const [h, p, s] = good.split('.') as [string, string, string];

  const algorithms = [
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
  ];
  for (const alg of algorithms) {
    add(`alg ${JSON.stringify(alg)}, signed`, withHeader({ alg }));
    add(`alg ${JSON.stringify(alg)}, unsigned`, `${encodedPart({ ...JWT_HEADER, alg })}.${p}.`);
    add(`alg ${JSON.stringify(alg)}, another's signature`, `${encodedPart({ ...JWT_HEADER, alg })}.${p}.${s}`);
  }
  for (const hash of ['sha1', 'sha384', 'sha512']) add(`signed by HMAC of ${hash}`, madeJwt(JWT_HEADER, claims(), secret, hash));
  add('truly HS384', madeJwt({ ...JWT_HEADER, alg: 'HS384' }, claims(), secret, 'sha384'));
  add('truly HS512', madeJwt({ ...JWT_HEADER, alg: 'HS512' }, claims(), secret, 'sha512'));

  for (const kid of [KID, '', '../../etc/passwd', 'http://evil.example/key', "' or 1=1 --", '\0', 1, null])
    add(`kid ${JSON.stringify(kid)}`, withHeader({ kid }));
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

  const length = Math.min(lifetimeSecondsMax, 100);
  for (const off of [31, 60, 3_600, 86_400]) add(`iat ${off} s ahead`, withClaims({ iat: now + off, exp: now + off + length }));
  for (const ago of [31, 181, 86_400]) add(`over for ${ago} s`, withClaims({ iat: now - ago - length, exp: now - ago }));
  for (const lasts of [lifetimeSecondsMax + 1, 3_600, 31_536_000, 2 ** 53]) add(`for ${lasts} s`, withClaims({ exp: now + lasts }));
  add('exp before iat', withClaims({ iat: now + 10, exp: now + 5 }));
  add('exp with iat', withClaims({ exp: now }));
  add('times in milliseconds', withClaims({ iat: now * 1_000, exp: now * 1_000 + 60_000 }));
  add('times as text', withClaims({ iat: String(now), exp: String(now + length) }));
  add('nbf ahead', withClaims({ nbf: now + 60 }));

  for (const [title, key] of Object.entries(keys)) add(`key ${title}`, madeJwt(JWT_HEADER, claims(), key));

  const twin = String.fromCharCode(s.at(-1)!.charCodeAt(0) + 1);
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
    'another payload': `${h}.${encodedPart({ ...claims(), iss: 'clocks' })}.${s}`,
    'a payload with a space': `${h}.${encodedPart(` ${JSON.stringify(claims())}`)}.${s}`,
    'a payload that is a list': madeJwt(JWT_HEADER, '[]', secret),
    'a payload that is text': madeJwt(JWT_HEADER, '"notes"', secret),
    'a payload that is null': madeJwt(JWT_HEADER, 'null', secret),
    'a payload that is no JSON': madeJwt(JWT_HEADER, '{', secret),
    'a header that is no JSON': madeJwt('{', claims(), secret),
    'a header that is a list': madeJwt('["HS256"]', claims(), secret),
    'a prototype': madeJwt(JWT_HEADER, `{"__proto__":{"iss":"notes"},${JSON.stringify(claims()).slice(1)}`, secret),
    'far too long': madeJwt(JWT_HEADER, { ...claims(), filler: 'x'.repeat(9_000) }, secret),
    'no UTF-8': `${h}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${s}`,
  };
  for (const [title, token] of Object.entries(spellings)) add(title, token);
  return found;
}
