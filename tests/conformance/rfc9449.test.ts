import { request as httpRequest } from 'node:http';
import { sql } from '@bulkhead/postgres';
import type { HttpAnswer } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DpopKey, type ProofChanges, type ProofFor } from './dpop-key.ts';
import { type Fields, OAuthWorld, REDIRECT_URI, SERVICE } from './oauth-world.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let oauth: OAuthWorld;
let key: DpopKey;
let stranger: DpopKey;
let account: number;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  [key, stranger] = await Promise.all([DpopKey.create(), DpopKey.create()]);
  account = (await oauth.grant()).account_id;
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

const tokenUrl = () => `${oauth.world.url}/v1/oauth/token`;
const proofFor = (by: DpopKey, fields: Partial<ProofFor> = {}, changes: ProofChanges = {}) =>
  by.proof({ method: 'POST', url: tokenUrl(), now: oauth.world.clock.now(), ...fields }, changes);

/** A call to the token endpoint, as the confidential client unless another Authorization is given, with this proof. */
function token(fields: Fields, proof: string | null, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  const present = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return oauth.world.call('POST', '/v1/oauth/token', {
    headers: { authorization: `APIKey ${oauth.client.key}`, ...(proof === null ? {} : { dpop: proof }), ...headers },
    body: new URLSearchParams(present),
  });
}
/** The cheapest way to a token: an exchange of the API key. */
const exchangeKey = (proof: string | null, headers: Record<string, string> = {}) =>
  token(
    {
      grant_type: EXCHANGE,
      subject_token: oauth.client.key,
      subject_token_type: 'urn:bulkhead:token-type:api-key',
      account_id: `${account}`,
    },
    proof,
    headers,
  );
const exchangeToken = (subject_token: string, proof: string | null) =>
  token({ grant_type: EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN }, proof);
async function boundToken(by: DpopKey = key): Promise<string> {
  return (await exchangeKey(await proofFor(by))).json.access_token;
}

/** A call to a resource. */
async function get(
  path: string,
  accessToken: string,
  by: DpopKey | null,
  change: {
    readonly scheme?: string;
    readonly fields?: Partial<ProofFor>;
    readonly changes?: ProofChanges;
    readonly headers?: Record<string, string>;
  } = {},
): Promise<HttpAnswer> {
  const proof =
    by === null
      ? null
      : await by.proof(
          { method: 'GET', url: oauth.world.url + path, now: oauth.world.clock.now(), accessToken, ...change.fields },
          change.changes,
        );
  return oauth.world.call('GET', path, {
    headers: {
      authorization: `${change.scheme ?? 'DPoP'} ${accessToken}`,
      ...(proof === null ? {} : { dpop: proof }),
      ...change.headers,
    },
  });
}
const VERIFY = '/v1/oauth/token';
const resource = () => `/v1/accounts/${account}`;

describe('RFC 9449 §5 a proof at the token endpoint', () => {
  test.each(['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'])('made with %s binds the token to its key', async (alg) => {
    const by = await DpopKey.create(alg);
    const answer = await exchangeKey(await proofFor(by));
    expect([answer.status, answer.json.token_type]).toEqual([200, 'DPoP']);
    const { json } = await oauth.post('/v1/oauth/introspect', { token: answer.json.access_token });
    expect(json).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: by.jkt } });
  });

  test('control: without one the token is a bearer token, bound to nothing', async () => {
    const answer = await exchangeKey(null);
    expect([answer.status, answer.json.token_type]).toEqual([200, 'Bearer']);
    expect((await oauth.post('/v1/oauth/introspect', { token: answer.json.access_token })).json).not.toHaveProperty('cnf');
  });

  test('the algorithms are those of the metadata, all of them asymmetric (§5.1)', async () => {
    const { json } = await oauth.world.call('GET', '/.well-known/oauth-authorization-server');
    expect(json.dpop_signing_alg_values_supported).toEqual(['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519']);
  });
});

describe('RFC 9449 §4.3 checking a proof', () => {
  const minutes = (count: number) => Math.floor(oauth.world.clock.now() / 1000) + count * 60;
  type Case = readonly [what: string, change: () => Promise<string>];
  const changed = (what: string, changes: () => ProofChanges, fields: () => Partial<ProofFor> = () => ({})): Case => [
    what,
    () => proofFor(key, fields(), changes()),
  ];
  const segments = async () => (await proofFor(key)).split('.') as [string, string, string];
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  const refused: readonly Case[] = [
    ['no JWT', async () => 'nothing'],
    ['two proofs in one header', async () => `${await proofFor(key)}, ${await proofFor(key)}`],
    ['a proof with something behind it', async () => `${await proofFor(key)} x`],
    [
      'an unsigned one (alg none)',
      async () => `${encoded({ typ: 'dpop+jwt', alg: 'none', jwk: key.publicJwk })}.${(await segments())[1]}.`,
    ],
    ['a signature cut off', async () => (await segments()).slice(0, 2).join('.') + '.'],
    ['a signature cut short', async () => (await proofFor(key)).slice(0, -8)],
    ["another proof's signature", async () => [...(await segments()).slice(0, 2), (await segments())[2]].join('.')],
    [
      'changed claims',
      async () => {
        const [head, claims, signature] = await segments();
        return [head, encoded({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), more: 1 }), signature].join('.');
      },
    ],
    changed('the key of somebody else in it', () => ({ header: { jwk: stranger.publicJwk } })),
    changed('no key in it', () => ({ header: { jwk: undefined } })),
    changed('a key by its id alone', () => ({ header: { jwk: undefined, kid: key.jkt } })),
    changed('a key that is to be fetched', () => ({ header: { jwk: undefined, jku: 'https://evil.example/jwks' } })),
    changed('a key as text', () => ({ header: { jwk: JSON.stringify(key.publicJwk) } })),
    changed('the private key in it', () => ({ header: { jwk: key.privateJwk } })),
    changed('one member of a private key in it', () => ({ header: { jwk: { ...key.publicJwk, d: 'AA' } } })),
    changed('a symmetric key in it', () => ({ header: { jwk: { kty: 'oct', k: 'c2VjcmV0c2VjcmV0c2VjcmV0' } } })),
    changed('a key of another curve than its alg', () => ({ header: { jwk: { ...key.publicJwk, crv: 'P-384' } } })),
    changed('an exponent that makes checking dear', () => ({ header: { jwk: { kty: 'RSA', n: 'A'.repeat(342), e: 'A'.repeat(342) } } })),
    ['HMAC', async () => `${encoded({ typ: 'dpop+jwt', alg: 'HS256', jwk: key.publicJwk })}.${(await segments()).slice(1).join('.')}`],
    [
      'an algorithm that is not named',
      async () => {
        const by = await DpopKey.create('ES512');
        return proofFor(by);
      },
    ],
    changed('typ JWT', () => ({ header: { typ: 'JWT' } })),
    changed('no typ', () => ({ header: { typ: undefined } })),
    changed('a critical extension nobody knows', () => ({ header: { crit: ['b64x'], b64x: true } })),
    changed('no jti', () => ({ claims: { jti: undefined } })),
    changed('an empty jti', () => ({ claims: { jti: '' } })),
    changed('a jti that is no text', () => ({ claims: { jti: 1 } })),
    changed('no htm', () => ({ claims: { htm: undefined } })),
    changed('another method', () => ({ claims: { htm: 'GET' } })),
    changed('the method in lower case', () => ({ claims: { htm: 'post' } })),
    changed('no htu', () => ({ claims: { htu: undefined } })),
    changed('another path', () => ({ claims: { htu: `${oauth.world.url}/v1/oauth/par` } })),
    changed('a path that only begins alike', () => ({ claims: { htu: `${tokenUrl()}s` } })),
    changed('another host', () => ({ claims: { htu: 'https://evil.example/v1/oauth/token' } })),
    changed('another port', () => ({ claims: { htu: 'http://127.0.0.1:1/v1/oauth/token' } })),
    changed('another scheme', () => ({ claims: { htu: tokenUrl().replace('http:', 'https:') } })),
    changed('a host behind a user name', () => ({ claims: { htu: tokenUrl().replace('http://', 'http://x@') } })),
    changed('a path alone', () => ({ claims: { htu: '/v1/oauth/token' } })),
    changed('no iat', () => ({ claims: { iat: undefined } })),
    changed('an iat that is no number', () => ({ claims: { iat: String(minutes(0)) } })),
    changed('an iat a minute and more ago', () => ({ claims: { iat: minutes(-1) - 2 } })),
    changed('an iat a minute and more ahead', () => ({ claims: { iat: minutes(1) + 2 } })),
    changed('an iat in milliseconds', () => ({ claims: { iat: oauth.world.clock.now() } })),
    changed('a time it has outlived', () => ({ claims: { exp: minutes(-2) } })),
    changed('a time that has not come', () => ({ claims: { nbf: minutes(2) } })),
    changed('9,000 characters', () => ({ claims: { more: 'x'.repeat(9000) } })),
  ];

  test.each(refused)('%s: 400 invalid_dpop_proof, and nothing is issued', async (_what, make) => {
    const answer = await exchangeKey(await make());
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_dpop_proof']);
    expect(answer.json).not.toHaveProperty('access_token');
    expect(answer.headers.get('cache-control')).toContain('no-store');
  });

  const accepted: readonly Case[] = [
    changed('nothing changed', () => ({})),
    changed('a query and a fragment in htu', () => ({ claims: { htu: `${tokenUrl()}?x=1#y` } })),
    changed('scheme in capitals, dot segments', () => ({
      claims: { htu: tokenUrl().replace('http:', 'HTTP:').replace('/v1/', '/./v1/') },
    })),
    changed('an iat nearly a minute ago', () => ({ claims: { iat: minutes(-1) + 2 } })),
    changed('an iat nearly a minute ahead', () => ({ claims: { iat: minutes(1) - 2 } })),
    changed('claims nobody asked for', () => ({ claims: { nonce: 'x', exp: minutes(2), more: [1] } })),
    changed('a key with its id and use', () => ({ header: { kid: 'x', jwk: { ...key.publicJwk, kid: 'x', use: 'sig', alg: 'ES256' } } })),
  ];
  test.each(accepted)('control: %s: is taken', async (_what, make) => {
    expect((await exchangeKey(await make())).status).toBe(200);
  });

  test('two DPoP headers are refused, each of which would do', async () => {
    const { hostname, port } = new URL(oauth.world.url);
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'nothing' }).toString();
    const send = (proofs: string[]) =>
      new Promise<string>((resolve, reject) => {
        const headers = { authorization: `APIKey ${oauth.client.key}`, 'content-type': 'application/x-www-form-urlencoded', dpop: proofs };
        httpRequest({ hostname, port, path: '/v1/oauth/token', method: 'POST', headers }, (response) => {
          let text = '';
          response.on('data', (part: Buffer) => (text += part.toString())).on('end', () => resolve(JSON.parse(text).error));
        })
          .on('error', reject)
          .end(body);
      });
    expect(await send([await proofFor(key), await proofFor(key)])).toBe('invalid_dpop_proof');
    expect(await send([await proofFor(key)])).toBe('invalid_grant');
  });

  test('A6: a Host header does not shape the address a proof is for', async () => {
    const { hostname, port } = new URL(oauth.world.url);
    const send = (htu: string, proof: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = {
          host: 'evil.example',
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'https',
          authorization: `APIKey ${oauth.client.key}`,
          'content-type': 'application/x-www-form-urlencoded',
          dpop: proof,
        };
        httpRequest({ hostname, port, path: '/v1/oauth/token', method: 'POST', headers }, (response) => {
          let text = '';
          response.on('data', (part: Buffer) => (text += part.toString())).on('end', () => resolve(`${htu}: ${JSON.parse(text).error}`));
        })
          .on('error', reject)
          .end('grant_type=refresh_token&refresh_token=nothing');
      });
    for (const htu of ['http://evil.example/v1/oauth/token', 'https://evil.example/v1/oauth/token'])
      expect(await send(htu, await proofFor(key, {}, { claims: { htu } }))).toBe(`${htu}: invalid_dpop_proof`);
    expect(await send('ours', await proofFor(key))).toBe('ours: invalid_grant');
  });
});

describe('RFC 9449 §11.1 replay', () => {
  test('a proof is good once, even for ten requests at the same moment, and even where the first one failed', async () => {
    const proof = await proofFor(key);
    const answers = await Promise.all(Array.from({ length: 10 }, () => exchangeKey(proof)));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect(answers.filter(({ json }) => json.error === 'invalid_dpop_proof').length).toBe(9);

    const failing = await proofFor(key);
    const wrong = { grant_type: 'refresh_token', refresh_token: 'nothing' };
    expect((await token(wrong, failing)).json.error).toBe('invalid_grant');
    expect((await exchangeKey(failing)).json.error).toBe('invalid_dpop_proof');
  });

  test('the same jti by another key, or in another Application, is another proof', async () => {
    const jti = 'said by both';
    expect((await exchangeKey(await proofFor(key, {}, { claims: { jti } }))).status).toBe(200);
    expect((await exchangeKey(await proofFor(key, {}, { claims: { jti } }))).json.error).toBe('invalid_dpop_proof');
    expect((await exchangeKey(await proofFor(stranger, {}, { claims: { jti } }))).status).toBe(200);
    const other = await oauth.another();
    const elsewhere = await oauth.world.call('POST', '/v1/oauth/token', {
      headers: { authorization: `APIKey ${other.key}`, dpop: await proofFor(key, {}, { claims: { jti } }) },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'nothing' }),
    });
    expect(elsewhere.json.error).toBe('invalid_grant');
  });

  test('a proof whose signature is written another way is the same proof', async () => {
    const [head, claims, signature] = (await proofFor(key)).split('.') as [string, string, string];
    const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
    const bytes = Buffer.from(signature, 'base64url');
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString('base64url');
    expect(twin).not.toBe(signature);
    expect((await exchangeKey([head, claims, twin].join('.'))).status).toBe(200);
    expect((await exchangeKey([head, claims, signature].join('.'))).json.error).toBe('invalid_dpop_proof');
  });

  test('what was used is forgotten when it is too old to be taken anyway, and not a moment sooner', async () => {
    const kept = async () =>
      oauth.world.database.database.withTenant(oauth.client.id, (tx) =>
        tx.one<{ count: number }>(sql`select count(*)::int as count from dpop_proofs where application_id = ${oauth.client.id}`),
      );
    // Dated ahead as far as it goes: two minutes of life.
    const iat = Math.floor(oauth.world.clock.now() / 1000) + 59;
    const proof = await proofFor(key, {}, { claims: { iat } });
    expect((await exchangeKey(proof)).status).toBe(200);
    oauth.world.clock.advance(117_000);
    expect((await exchangeKey(await proofFor(key))).status).toBe(200);
    expect((await exchangeKey(proof)).json.error_description).toContain('used before');
    oauth.world.clock.advance(4_000);
    expect((await exchangeKey(proof)).json.error_description).toContain('iat');
    for (let round = 0; round < 6; round++) await exchangeKey(await proofFor(key));
    expect((await kept()).count).toBeLessThan(15);
  });
});

describe('RFC 9449 §7 a bound token at a resource', () => {
  test('opens it under the scheme DPoP with a proof, in any case of letters', async () => {
    const bound = await boundToken();
    for (const scheme of ['DPoP', 'dpop', 'DPOP']) expect((await get(resource(), bound, key, { scheme })).status).toBe(200);
    const { status, json } = await get(VERIFY, bound, key);
    expect([status, json.cnf]).toEqual([200, { jkt: key.jkt }]);
  });

  test('as Bearer it is answered like a token that is none, proof or not (§7.2)', async () => {
    const bound = await boundToken();
    for (const by of [null, key]) {
      const answer = await get(resource(), bound, by, { scheme: 'Bearer' });
      expect([answer.status, answer.json.error_code]).toEqual([401, 'invalid_token']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer [^,]+, error="invalid_token", .*DPoP .*algs="ES256 /);
    }
  });

  test('a token that is not bound is refused under DPoP, proof or not, and taken as Bearer', async () => {
    const { access_token: unbound } = (await exchangeKey(null)).json;
    for (const by of [null, key]) {
      const answer = await get(resource(), unbound, by);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/DPoP [^,]+, error="invalid_token", .*algs="ES256 /);
    }
    expect((await get(resource(), unbound, null, { scheme: 'Bearer' })).status).toBe(200);
  });

  test.each<[string, Parameters<typeof get>[3], 'key' | 'stranger' | 'none']>([
    ['no proof', {}, 'none'],
    ["another key's proof", {}, 'stranger'],
    ['no ath', { changes: { claims: { ath: undefined } } }, 'key'],
    ['the ath of another token', { fields: { accessToken: 'bha_other' } }, 'key'],
    ['the token itself for ath', { changes: { claims: { ath: 'bha_other' } } }, 'key'],
    ['another method', { fields: { method: 'POST' } }, 'key'],
    ['another resource', { changes: { claims: { htu: 'http://127.0.0.1:1/v1/accounts/1' } } }, 'key'],
    ['an old iat', { changes: { claims: { iat: 1_700_000_000 } } }, 'key'],
    ['another typ', { changes: { header: { typ: 'JWT' } } }, 'key'],
  ])('%s: 401 DPoP error="invalid_dpop_proof" with the algorithms', async (_what, change, by) => {
    const bound = await boundToken();
    const answer = await get(resource(), bound, by === 'none' ? null : by === 'key' ? key : stranger, change);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(
      /DPoP realm="bulkhead", error="invalid_dpop_proof", error_description="[^"]+", algs="ES256 /,
    );
    expect((await get(resource(), bound, key)).status).toBe(200);
  });

  test('a proof is good once at a resource, and a refused one is not used up by somebody else', async () => {
    const bound = await boundToken();
    const proof = await key.proof({ method: 'GET', url: oauth.world.url + resource(), now: oauth.world.clock.now(), accessToken: bound });
    const show = (accessToken: string) =>
      oauth.world.call('GET', resource(), { headers: { authorization: `DPoP ${accessToken}`, dpop: proof } });
    expect((await show(await boundToken(stranger))).status).toBe(401);
    const answers = await Promise.all(Array.from({ length: 5 }, () => show(bound)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  test('/proxy and /raw take it too, and neither token nor proof goes upstream', async () => {
    const bound = await boundToken();
    const path = `/v1/accounts/${account}/proxy/files/a%20b`;
    const before = oauth.upstream.requests.length;
    expect((await get(path, bound, null)).status).toBe(401);
    expect((await get(path, bound, key, { scheme: 'Bearer' })).status).toBe(401);
    expect(oauth.upstream.requests.length).toBe(before);
    expect((await get(`${path}?q=1`, bound, key)).json.query).toEqual({ q: '1' });
    const raw = `/v1/accounts/${account}/raw`;
    const answer = await oauth.world.call('POST', raw, {
      headers: {
        authorization: `DPoP ${bound}`,
        dpop: await proofFor(key, { url: oauth.world.url + raw, accessToken: bound }),
        'x-kloudless-raw-uri': '/files',
      },
    });
    expect(answer.status).toBe(200);
    for (const { headers } of oauth.upstream.requests.slice(before)) {
      expect(headers).not.toHaveProperty('dpop');
      expect(JSON.stringify(headers)).not.toContain('bha_');
    }
  });

  test('at the verify address of old clients a bad one keeps its status 400', async () => {
    expect((await get(VERIFY, `${await boundToken()}x`, key)).status).toBe(400);
  });

  test('browsers may read the challenge (CORS)', async () => {
    const answer = await get(resource(), await boundToken(), null, { headers: { origin: 'https://app.example' } });
    expect(answer.headers.get('access-control-expose-headers')?.toLowerCase()).toContain('www-authenticate');
  });
});

describe('RFC 9449 §10 binding a code', () => {
  const redeem = (code: { code: string; verifier: string }, proof: string | null) =>
    token({ grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier, redirect_uri: REDIRECT_URI }, proof);

  test('a code asked for with dpop_jkt is redeemed with that key only, and stays unspent meanwhile', async () => {
    const code = await oauth.code({ dpop_jkt: key.jkt });
    expect((await redeem(code, null)).json.error).toBe('invalid_grant');
    expect((await redeem(code, await proofFor(stranger))).json.error).toBe('invalid_grant');
    expect((await redeem(code, await proofFor(key))).json.token_type).toBe('DPoP');
  });

  test('control: a code asked for without it is redeemed with any key, or none', async () => {
    expect((await redeem(await oauth.code(), await proofFor(stranger))).json.token_type).toBe('DPoP');
    expect((await redeem(await oauth.code(), null)).json.token_type).toBe('Bearer');
  });

  const parUrl = () => `${oauth.world.url}/v1/oauth/par`;
  const push = (fields: Fields, proof: string | null) =>
    oauth.world.call('POST', '/v1/oauth/par', {
      headers: { authorization: `APIKey ${oauth.client.key}`, ...(proof === null ? {} : { dpop: proof }) },
      body: new URLSearchParams({
        response_type: 'code',
        redirect_uri: REDIRECT_URI,
        scope: SERVICE,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
        ...fields,
      } as Record<string, string>),
    });
  const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';

  test.each<[string, () => Fields, boolean]>([
    ['a proof', () => ({}), true],
    ['dpop_jkt', () => ({ dpop_jkt: key.jkt }), false],
    ['both, of one key', () => ({ dpop_jkt: key.jkt }), true],
  ])('a request pushed with %s binds its code (§10.1)', async (_what, fields, proven) => {
    const { json } = await push(fields(), proven ? await proofFor(key, { url: parUrl() }) : null);
    const { answer } = await oauth.authorize({ request_uri: json.request_uri });
    const code = { code: answer.get('code')!, verifier: VERIFIER };
    expect((await redeem(code, null)).json.error).toBe('invalid_grant');
    expect((await redeem(code, await proofFor(stranger))).json.error).toBe('invalid_grant');
    expect((await redeem(code, await proofFor(key))).status).toBe(200);
  });

  test.each<[string, () => Fields, () => Promise<string | null>, string]>([
    [
      'dpop_jkt of another key than the proof',
      () => ({ dpop_jkt: stranger.jkt }),
      () => proofFor(key, { url: parUrl() }),
      'invalid_request',
    ],
    ['a dpop_jkt that is none', () => ({ dpop_jkt: 'x' }), async () => null, 'invalid_request'],
    ['a proof for the token endpoint', () => ({}), () => proofFor(key), 'invalid_dpop_proof'],
    ['a proof that is none', () => ({}), async () => 'x', 'invalid_dpop_proof'],
  ])('%s is refused when it is pushed', async (_what, fields, proof, error) => {
    const answer = await push(fields(), await proof());
    expect([answer.status, answer.json.error]).toEqual([400, error]);
  });

  test('an implicit request cannot be bound, and is told so', async () => {
    const client = await oauth.another({ implicit_grant_enabled: true });
    const asked = { response_type: 'token', client_id: client.id };
    const refused = await oauth.authorize({ ...asked, dpop_jkt: key.jkt });
    expect(refused.fragment.get('error')).toBe('invalid_request');
    expect((await oauth.authorize(asked)).fragment.get('access_token')).toMatch(/^bha_/);
  });
});

describe('RFC 9449 §5 refresh tokens', () => {
  const asPublic = (fields: Fields, proof: string | null) =>
    oauth.world.call('POST', '/v1/oauth/token', {
      headers: proof === null ? {} : { dpop: proof },
      body: new URLSearchParams({ client_id: oauth.client.id, ...fields } as Record<string, string>),
    });
  async function grantOf(by: (fields: Fields, proof: string | null) => Promise<HttpAnswer>, proof: string | null) {
    const { code, verifier } = await oauth.code();
    return (await by({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI }, proof)).json;
  }

  test("a public client's is bound to the key: no proof, and another key's, get nothing and use nothing up", async () => {
    const first = await grantOf(asPublic, await proofFor(key));
    expect(first.token_type).toBe('DPoP');
    const fields = { grant_type: 'refresh_token', refresh_token: first.refresh_token };
    expect((await asPublic(fields, null)).json.error).toBe('invalid_grant');
    expect((await asPublic(fields, await proofFor(stranger))).json.error).toBe('invalid_grant');
    const next = await asPublic(fields, await proofFor(key));
    expect([next.status, next.json.token_type]).toEqual([200, 'DPoP']);
    const { json } = await oauth.post('/v1/oauth/introspect', { token: next.json.refresh_token });
    expect(json.cnf).toEqual({ jkt: key.jkt });
  });

  test('a client that authenticates may come with another key, but never back to a bearer token', async () => {
    const first = await grantOf(token, await proofFor(key));
    const fields = { grant_type: 'refresh_token', refresh_token: first.refresh_token };
    expect((await token(fields, null)).json.error).toBe('invalid_grant');
    const next = await token(fields, await proofFor(stranger));
    expect(next.json.token_type).toBe('DPoP');
    expect((await get(resource(), next.json.access_token, stranger)).status).toBe(200);
    expect((await get(resource(), next.json.access_token, key)).status).toBe(401);
  });

  test('a grant that was not bound becomes so with the first proof, and stays so', async () => {
    const first = await grantOf(asPublic, null);
    const bound = await asPublic({ grant_type: 'refresh_token', refresh_token: first.refresh_token }, await proofFor(key));
    expect(bound.json.token_type).toBe('DPoP');
    const fields = { grant_type: 'refresh_token', refresh_token: bound.json.refresh_token };
    expect((await asPublic(fields, null)).json.error).toBe('invalid_grant');
    expect((await asPublic(fields, await proofFor(key))).status).toBe(200);
  });

  test('control: a grant that was never bound is refreshed without a key', async () => {
    const first = await grantOf(asPublic, null);
    expect((await asPublic({ grant_type: 'refresh_token', refresh_token: first.refresh_token }, null)).json.token_type).toBe('Bearer');
  });
});

describe('RFC 8693 with RFC 9449: what is exchanged from a bound token (V1)', () => {
  test('is bound to the same key, whoever asks: without a proof and with another key there is nothing', async () => {
    const bound = await boundToken();
    for (const proof of [null, await proofFor(stranger)]) {
      const answer = await exchangeToken(bound, proof);
      expect([answer.status, answer.json.error]).toEqual([400, 'invalid_dpop_proof']);
    }
    const child = await exchangeToken(bound, await proofFor(key));
    expect(child.json.token_type).toBe('DPoP');
    const grandchild = await exchangeToken(child.json.access_token, await proofFor(key));
    expect((await exchangeToken(child.json.access_token, null)).json.error).toBe('invalid_dpop_proof');
    expect((await get(resource(), grandchild.json.access_token, key)).status).toBe(200);
    expect((await get(resource(), grandchild.json.access_token, null, { scheme: 'Bearer' })).status).toBe(401);
  });

  test('control: from one that is not bound comes one that is, where a proof stands beside it, and none where not', async () => {
    const { access_token } = (await exchangeKey(null)).json;
    expect((await exchangeToken(access_token, await proofFor(key))).json.token_type).toBe('DPoP');
    expect((await exchangeToken(access_token, null)).json.token_type).toBe('Bearer');
  });

  test('dies with it', async () => {
    const bound = await boundToken();
    const child = (await exchangeToken(bound, await proofFor(key))).json.access_token;
    expect((await get(VERIFY, child, key)).status).toBe(200);
    await oauth.post('/v1/oauth/revoke', { token: bound });
    expect((await get(VERIFY, child, key)).status).toBe(400);
  });
});
