import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';

/** A DPoP proof (RFC 9449 §4.2) for one request to the token endpoint, by a key made for it. `now` in milliseconds. */
export function dpopProof(request: { readonly method: string; readonly url: string; readonly now: number }): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = [
    part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }),
    part({ jti: randomUUID(), htm: request.method, htu: request.url, iat: Math.floor(request.now / 1000) }),
  ].join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
