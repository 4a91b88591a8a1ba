import { createHmac, createSecretKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { constantTimeEqual, type Secret } from '@bulkhead/base';
import { decodeJwt, type JwtHeader, type JwtRefusal } from './jwt-parts.ts';

/** The two that Atlassian Connect signs with. Which of them counts is said by the verifier, never by the token. */
export type ConnectAlgorithm = 'HS256' | 'RS256';

/** How far a clock may be off, at most, in seconds. */
export const CONNECT_LEEWAY_SECONDS_MAX = 30;
const RSA_BITS_MIN = 2048;

/** RFC 7519 §4.1 and Connect's own, as they are written. */
export interface SignedClaims {
  readonly iss: string;
  readonly iat: number;
  readonly exp: number;
  readonly aud?: string | readonly string[];
  readonly [claim: string]: unknown;
}

/** The same as they are read. Further claims stand beside them, unjudged. */
export interface ConnectClaims extends SignedClaims {
  readonly iss: string;
  /** Seconds since the epoch, whole. */
  readonly iat: number;
  readonly exp: number;
  readonly sub?: string;
  /** A list, also where one text was sent. */
  readonly aud?: readonly string[];
  readonly jti?: string;
  readonly qsh?: string;
  readonly [claim: string]: unknown;
}

/** A token that has the right shape. Nothing of it is true yet: use it to look for the key and for nothing else. */
export interface UnverifiedJwt {
  readonly header: JwtHeader;
  readonly claims: ConnectClaims;
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** Beside its claims nothing, so that no claim can look like a refusal. */
export interface VerifiedJwt {
  readonly claims: ConnectClaims;
}

export interface ConnectJwtRules {
  readonly algorithm: ConnectAlgorithm;
  /** A secret key for HS256, an RSA public key of at least 2048 bits for RS256; another one is a `TypeError`. */
  readonly key: KeyObject;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Default 30, which is also the most. */
  readonly leewaySeconds?: number;
  /** `exp - iat` at most. */
  readonly lifetimeSecondsMax: number;
  /** `is`: one of these, exactly, and no other beside it. `absentOr`: the same, or none at all. */
  readonly audience: { readonly is: readonly string[] } | { readonly absentOr: readonly string[] };
  /** `typ` of the header, exactly. Default: `JWT`, or none. */
  readonly type?: string;
}

/**
 * Reads a token strictly, verifying nothing: three parts of canonical base64url, at most 8 KiB; a header of `alg`, `typ` and `kid` only;
 * `iss`, `iat` and `exp` present, every known claim of its type. Never throws.
 */
export function readConnectJwt(token: string): UnverifiedJwt | JwtRefusal {
  const parts = decodeJwt(token);
  if ('refused' in parts) return parts;
  const claims = typedClaims(parts.payload);
  if (claims === null) return { refused: 'claims' };
  return { header: parts.header, claims, signingInput: parts.signingInput, signature: parts.signature };
}

/**
 * The claims of a token that was read, if it is signed with `key` by exactly that algorithm, is of now, short-lived and meant for us.
 * RS256 needs a `kid`, HS256 has none. Who it is from (`iss`) and what it was made for (`qsh`) is for the caller to compare.
 */
export function verifyConnectJwt(token: UnverifiedJwt, rules: ConnectJwtRules): VerifiedJwt | JwtRefusal {
  const { leewaySeconds = CONNECT_LEEWAY_SECONDS_MAX, lifetimeSecondsMax, now, key, algorithm, audience, type } = rules;
  if (leewaySeconds < 0 || leewaySeconds > CONNECT_LEEWAY_SECONDS_MAX) throw new RangeError('a leeway is 0 to 30 seconds');
  assertKey(algorithm, key, 'public');
  const { header, claims } = token;
  if (header.alg !== algorithm) return { refused: 'algorithm' };
  if (type === undefined ? header.typ !== undefined && header.typ !== 'JWT' : header.typ !== type) return { refused: 'type' };
  if ((header.kid !== undefined) !== (algorithm === 'RS256')) return { refused: 'key_id' };
  if (!isSigned(token, algorithm, key)) return { refused: 'signature' };
  if (claims.iat > now + leewaySeconds) return { refused: 'not_yet' };
  if (typeof claims['nbf'] === 'number' && claims['nbf'] > now + leewaySeconds) return { refused: 'not_yet' };
  if (claims.exp + leewaySeconds <= now) return { refused: 'expired' };
  if (claims.exp <= claims.iat || claims.exp - claims.iat > lifetimeSecondsMax) return { refused: 'lifetime' };
  if (!isMeantFor(claims.aud, audience)) return { refused: 'audience' };
  return { claims };
}

/** `kid` stands in the header of RS256 and must be given for it. `type` is `typ`, default `JWT`. */
export type SigningKey =
  | { readonly algorithm: 'HS256'; readonly key: KeyObject; readonly type?: string }
  | { readonly algorithm: 'RS256'; readonly key: KeyObject; readonly kid: string; readonly type?: string };

/** A token with these claims. `aud` is written as it is given: Connect sends a list, but one text to its authorization server. */
export function signConnectJwt(by: SigningKey, claims: SignedClaims): string {
  assertKey(by.algorithm, by.key, 'private');
  const header = { typ: by.type ?? 'JWT', alg: by.algorithm, ...(by.algorithm === 'RS256' ? { kid: by.kid } : {}) };
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  const signature = by.algorithm === 'HS256' ? hmac(by.key, input) : sign('sha256', Buffer.from(input), by.key);
  return `${input}.${signature.toString('base64url')}`;
}

/** The key of HS256: the UTF-8 bytes of a `sharedSecret`, as every library of Connect takes them. */
export function sharedSecretKey(sharedSecret: Secret): KeyObject {
  return createSecretKey(Buffer.from(sharedSecret.reveal(), 'utf8'));
}

/** Names a token by what was signed (64 hexadecimal digits): the same for every way to write the same token. For refusing replays. */
export function jwtDigest({ signingInput }: UnverifiedJwt): string {
  return hash('sha256', signingInput, 'hex');
}

function isSigned({ signingInput, signature }: UnverifiedJwt, algorithm: ConnectAlgorithm, key: KeyObject): boolean {
  if (algorithm === 'HS256') return constantTimeEqual(hmac(key, signingInput), signature);
  return verify('sha256', Buffer.from(signingInput), key, signature);
}

/** `input` is ASCII. By way of text, which Node gives out faster than a buffer. */
function hmac(key: KeyObject, input: string): Buffer {
  return Buffer.from(createHmac('sha256', key).update(input, 'latin1').digest('binary'), 'latin1');
}

/** A wrong key is a mistake of ours and not of the token: it must not look like a refusal, nor become one algorithm's key for another. */
function assertKey(algorithm: ConnectAlgorithm, key: KeyObject, half: 'public' | 'private'): void {
  if (algorithm === 'HS256') {
    if (key.type !== 'secret') throw new TypeError('HS256 takes a secret key');
    return;
  }
  if (key.type !== half || key.asymmetricKeyType !== 'rsa') throw new TypeError(`RS256 takes an RSA ${half} key here`);
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) throw new TypeError(`an RSA key has ${RSA_BITS_MIN} bits or more`);
}

function isMeantFor(aud: readonly string[] | undefined, rule: ConnectJwtRules['audience']): boolean {
  if (aud === undefined) return 'absentOr' in rule;
  const accepted = 'is' in rule ? rule.is : rule.absentOr;
  const [only] = aud;
  return aud.length === 1 && only !== undefined && accepted.includes(only);
}

function typedClaims(payload: Readonly<Record<string, unknown>>): ConnectClaims | null {
  const { iss, iat, exp, nbf, sub, aud, jti, qsh } = payload;
  if (!isText(iss) || iss === '' || !isTime(iat) || !isTime(exp)) return null;
  if (nbf !== undefined && !isTime(nbf)) return null;
  if (!isTextOrAbsent(sub) || !isTextOrAbsent(jti) || !isTextOrAbsent(qsh)) return null;
  if (aud === undefined) return payload as unknown as ConnectClaims;
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (list.length === 0 || !list.every(isText)) return null;
  return { ...payload, iss, iat, exp, aud: list };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
