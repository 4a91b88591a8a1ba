import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** What a proof says otherwise than a good one; `undefined` leaves a part out. */
export interface ProofChanges {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface ProofFor {
  readonly method: string;
  readonly url: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** For `ath`; left out at the token endpoint. */
  readonly accessToken?: string;
}

/** A key of a client that makes DPoP proofs (RFC 9449 §4.2), good ones or, with changes, others. */
export class DpopKey {
  readonly alg: string;
  readonly publicJwk: JWK;
  /** With its private members. */
  readonly privateJwk: JWK;
  readonly jkt: string;
  readonly #privateKey: CryptoKey;

  private constructor(alg: string, privateKey: CryptoKey, publicJwk: JWK, privateJwk: JWK, jkt: string) {
    this.alg = alg;
    this.publicJwk = publicJwk;
    this.privateJwk = privateJwk;
    this.jkt = jkt;
    this.#privateKey = privateKey;
  }

  static async create(alg = 'ES256'): Promise<DpopKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const publicJwk = await exportJWK(publicKey);
    return new DpopKey(alg, privateKey, publicJwk, await exportJWK(privateKey), await calculateJwkThumbprint(publicJwk));
  }

  proof(request: ProofFor, changes: ProofChanges = {}): Promise<string> {
    const { method, url, now, accessToken } = request;
    const header = present({ typ: 'dpop+jwt', alg: this.alg, jwk: this.publicJwk, ...changes.header });
    const claims = present({
      jti: randomUUID(),
      htm: method,
      htu: url,
      iat: Math.floor(now / 1000),
      ath: accessToken === undefined ? undefined : createHash('sha256').update(accessToken).digest('base64url'),
      ...changes.claims,
    });
    return new SignJWT(claims).setProtectedHeader(header as { alg: string }).sign(this.#privateKey, {
      // So that a proof can be made that nobody should take.
      crit: { b64x: true },
    });
  }
}

function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
