import { openDatabase } from '@bulkhead/postgres';
import { silentLog } from '@bulkhead/base';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditTrailOf, provideAuditTrail } from '../audit/index.ts';
import { type TestClient, TokenWorld } from '../../test/token-world.ts';

/** Both processes are reached by this address, through a proxy that shares out requests. */
const PUBLIC_URL = 'https://connect.example';

let worlds: readonly [TokenWorld, TokenWorld];
let client: TestClient;
let close: () => Promise<void>;
beforeAll(async () => {
  const first = await TokenWorld.create({ publicUrl: PUBLIC_URL });
  const db = openDatabase({ ...first.tenants.database.urls, log: silentLog, poolSize: 5 });
  provideAuditTrail(db, () => auditTrailOf(first.db));
  worlds = [first, await TokenWorld.create({ tenants: first.tenants, db, publicUrl: PUBLIC_URL })];
  client = await first.client();
  close = async () => {
    await worlds[1].close();
    await db.close();
    await first[Symbol.asyncDispose]();
  };
});
afterAll(() => close());

async function proofBy(htu: string): Promise<{ readonly proof: string; readonly jkt: string }> {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519');
  const jwk = await exportJWK(publicKey);
  const proof = await new SignJWT({ htm: 'POST', htu, jti: 'once', iat: Math.floor(worlds[0].now.getTime() / 1000) })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'Ed25519', jwk })
    .sign(privateKey);
  return { proof, jkt: await calculateJwkThumbprint(jwk) };
}
const ask = (world: TokenWorld, refreshToken: string, dpop: string) =>
  world.token({ grant_type: 'refresh_token', refresh_token: refreshToken }, { authorization: `APIKey ${client.apiKey}`, dpop });

describe('RFC 9449 §11.1 replay across processes', () => {
  test('of ten requests with one proof, on two processes of one database, one gets past it', async () => {
    const { proof } = await proofBy(`${PUBLIC_URL}/v1/oauth/token`);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => ask(worlds[index % 2 === 0 ? 0 : 1], 'nothing', proof)));
    const errors = answers.map(({ json }) => json.error).sort();
    expect(errors).toEqual([...Array.from({ length: 9 }, () => 'invalid_dpop_proof'), 'invalid_grant']);
  });

  test('control: as many proofs as requests all get past it', async () => {
    const proofs = await Promise.all(Array.from({ length: 4 }, () => proofBy(`${PUBLIC_URL}/v1/oauth/token`)));
    const answers = await Promise.all(proofs.map(({ proof }, index) => ask(worlds[index % 2 === 0 ? 0 : 1], 'nothing', proof)));
    expect(answers.map(({ json }) => json.error)).toEqual(Array.from({ length: 4 }, () => 'invalid_grant'));
  });

  test('A6: htu is the public address; that of the process behind it will not do', async () => {
    const { refreshToken } = await worlds[0].grant(client);
    const inside = await proofBy(`${worlds[0].url}/v1/oauth/token`);
    expect((await ask(worlds[0], refreshToken, inside.proof)).json.error).toBe('invalid_dpop_proof');
    const outside = await proofBy(`${PUBLIC_URL}/v1/oauth/token`);
    expect((await ask(worlds[0], refreshToken, outside.proof)).json.token_type).toBe('DPoP');
  });
});
