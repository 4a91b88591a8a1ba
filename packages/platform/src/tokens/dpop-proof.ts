import { constantTimeEqual, sha256 } from '@bulkhead/base';
import { DPOP_ALGORITHMS, dpopClaims, dpopPublicKey, type DpopPublicKey } from '@bulkhead/protocol';
import { calculateJwkThumbprint, errors, importJWK, jwtVerify } from 'jose';

/** How far `iat` may lie from now, either way, in seconds: the time a request takes, and how wrong a client's clock may be. */
export const PROOF_WINDOW_SECONDS = 60;

const PROOF_LENGTH_MAX = 8192;

/** The request that a proof must have been made for. */
export interface ProvenRequest {
  readonly method: string;
  /** As the client addressed it, by the public URL; query and fragment do not count (RFC 9449 §4.3). */
  readonly url: string;
  /** The token that comes along; null at the token endpoint. */
  readonly accessToken: string | null;
  readonly now: Date;
}

/** A proof that is good, but for having been used before: that is for the database to say. */
export interface DpopProof {
  /** RFC 7638 thumbprint of the key that signed it. */
  readonly jkt: string;
  /** Names the proof by key and `jti`. Not by its text: the same signature can be written in more than one way. */
  readonly hash: Buffer;
  /** From then on it is too old. */
  readonly expiresAt: Date;
}

/**
 * RFC 9449 §4.3, all of it but the replay check. Answers the proof, or what is wrong with it: words for the caller, who made it.
 * More than one `DPoP` header arrives joined by a comma, and that is no JWT.
 */
export async function readDpopProof(text: string, request: ProvenRequest): Promise<DpopProof | { readonly problem: string }> {
  if (text.length > PROOF_LENGTH_MAX) return { problem: 'it is too long' };
  let key: DpopPublicKey | undefined;
  let payload: unknown;
  try {
    const verified = await jwtVerify(
      text,
      async (header) => {
        const parsed = dpopPublicKey.safeParse(header.jwk);
        if (!parsed.success) throw new errors.JWKInvalid('"jwk" in its header is not a public key, and nothing but a public key');
        key = parsed.data;
        return importJWK(key, header.alg);
      },
      // The window is ours, below; `exp` and `nbf`, where they stand, are held to the same clock.
      { algorithms: [...DPOP_ALGORITHMS], typ: 'dpop+jwt', currentDate: request.now, clockTolerance: PROOF_WINDOW_SECONDS },
    );
    payload = verified.payload;
  } catch (thrown) {
    return { problem: problemOf(thrown) };
  }
  const parsed = dpopClaims.safeParse(payload);
  if (!parsed.success || key === undefined) return { problem: 'it needs jti, htm, htu and iat' };
  const { jti, htm, htu, iat, ath } = parsed.data;
  if (htm !== request.method) return { problem: 'htm is another method' };
  if (!isSameAddress(htu, request.url)) return { problem: 'htu is another address' };
  if (Math.abs(request.now.getTime() / 1000 - iat) > PROOF_WINDOW_SECONDS)
    return { problem: `iat is more than ${PROOF_WINDOW_SECONDS} seconds from now` };
  if (request.accessToken !== null) {
    const expected = Buffer.from(sha256(request.accessToken).toString('base64url'));
    if (ath === undefined || !constantTimeEqual(Buffer.from(ath), expected)) return { problem: 'ath is not the hash of this token' };
  }
  const jkt = await calculateJwkThumbprint(key);
  return { jkt, hash: sha256(`${jkt}|${jti}`), expiresAt: new Date((iat + PROOF_WINDOW_SECONDS) * 1000) };
}

/** RFC 9449 §4.3: compared after the normalisation of RFC 3986 §6.2.2 and §6.2.3, without query and fragment. */
function isSameAddress(htu: string, url: string): boolean {
  const [said, meant] = [URL.parse(htu), URL.parse(url)];
  if (said === null || meant === null || said.username !== '' || said.password !== '') return false;
  return said.origin === meant.origin && said.pathname === meant.pathname;
}

function problemOf(thrown: unknown): string {
  if (thrown instanceof errors.JWKInvalid) return '"jwk" in its header is not a public key, and nothing but a public key';
  if (thrown instanceof errors.JOSEAlgNotAllowed) return `alg is none of ${DPOP_ALGORITHMS.join(', ')}`;
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not fit';
  if (thrown instanceof errors.JWTExpired) return 'it has expired';
  if (thrown instanceof errors.JWTClaimValidationFailed)
    return thrown.claim === 'typ' ? 'typ is not dpop+jwt' : `${thrown.claim} does not fit`;
  // A key of a wrong size or curve throws what its library throws: the proof is at fault all the same.
  return 'it is not one well-formed JWT';
}
