import { z } from 'zod';

/** RFC 9449 §4.2: asymmetric algorithms only, each named. What is not here, `none` and HMAC among it, is refused. */
export const DPOP_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const;

/** RFC 9449 §6.1, RFC 7638: SHA-256 thumbprint of a public key, base64url. */
export const jwkThumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected the base64url form of a SHA-256 (43 characters)');

const number = z.string().regex(/^[A-Za-z0-9_-]{1,1400}$/);

/** RFC 7518 §6: the members of a private key. A proof that holds one has given its key away (RFC 9449 §4.3). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

/** A public key as a proof carries it (RFC 9449 §4.2 `jwk`): only what makes the key is kept. */
export const dpopPublicKey = z
  .looseObject({})
  .refine((jwk) => !PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name)), 'holds a private key')
  .pipe(
    z.discriminatedUnion('kty', [
      z.object({ kty: z.literal('EC'), crv: z.string(), x: number, y: number }),
      z.object({ kty: z.literal('OKP'), crv: z.string(), x: number }),
      // A short exponent: with a long one, checking a signature costs as much as making one.
      z.object({ kty: z.literal('RSA'), n: number, e: z.string().regex(/^[A-Za-z0-9_-]{1,8}$/) }),
    ]),
  );
export type DpopPublicKey = z.output<typeof dpopPublicKey>;

/** RFC 9449 §4.2: what a proof says. `ath` stands in it beside an access token only. */
export const dpopClaims = z.looseObject({
  jti: z.string().min(1).max(512),
  htm: z.string(),
  htu: z.string().max(8192),
  iat: z.number(),
  ath: z.string().optional(),
});

/** RFC 7800 §3.1, RFC 9449 §6.1: the key that a token is bound to. */
export const tokenConfirmation = z
  .object({ jkt: z.string() })
  .meta({ description: 'RFC 9449 §6.2: thumbprint of the key that the token is bound to; absent for one that is not bound.' });
