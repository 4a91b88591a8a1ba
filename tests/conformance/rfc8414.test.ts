import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld } from './oauth-world.ts';

let oauth: OAuthWorld;
// oxlint-disable-next-line typescript/no-explicit-any -- read as a client would.
let metadata: any;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  metadata = (await oauth.world.call('GET', '/.well-known/oauth-authorization-server')).json;
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

describe('RFC 8414 §3.2 metadata response', () => {
  test('is application/json and needs no credential', async () => {
    const answer = await oauth.world.call('GET', '/.well-known/oauth-authorization-server');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
  });

  test('the issuer is the URL it was fetched from, without query or fragment (§3.3)', () => {
    expect(metadata.issuer).toBe(oauth.world.url);
  });

  test('A6: a Host or X-Forwarded header does not shape it', async () => {
    const { hostname, port } = new URL(oauth.world.url);
    const text = await new Promise<string>((resolve, reject) => {
      const headers = {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
      };
      request({ hostname, port, path: '/.well-known/oauth-authorization-server', headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part)).on('end', () => resolve(Buffer.concat(parts).toString()));
      })
        .on('error', reject)
        .end();
    });
    expect(text).not.toContain('evil.example');
    expect(JSON.parse(text)).toEqual(metadata);
  });
});

describe('RFC 8414 §2 what it says is so', () => {
  test('every endpoint is there', async () => {
    for (const name of [
      'authorization_endpoint',
      'token_endpoint',
      'revocation_endpoint',
      'introspection_endpoint',
      'pushed_authorization_request_endpoint',
    ]) {
      const url: string = metadata[name];
      expect(url.startsWith(`${metadata.issuer}/`), name).toBe(true);
      const answer = await oauth.world.call(name === 'authorization_endpoint' ? 'GET' : 'POST', url);
      expect(answer.status, name).not.toBe(404);
      expect(answer.status, name).not.toBe(405);
    }
  });

  test('code_challenge_methods_supported is S256 alone (A2)', () => {
    expect(metadata.code_challenge_methods_supported).toEqual(['S256']);
  });

  test('every grant type it names is known to the token endpoint, and a further one is not', async () => {
    for (const grant_type of metadata.grant_types_supported.filter((name: string) => name !== 'implicit'))
      expect((await oauth.token({ grant_type })).json.error).not.toBe('unsupported_grant_type');
    expect((await oauth.token({ grant_type: 'client_credentials' })).json.error).toBe('unsupported_grant_type');
    expect(metadata.grant_types_supported).not.toContain('client_credentials');
  });

  test('every way to authenticate that it names lets a client in', async () => {
    const { id, key } = oauth.client;
    const wrong = { grant_type: 'authorization_code', code: 'x', redirect_uri: 'https://client.example/callback?kept=1' };
    const ways: Record<string, () => ReturnType<typeof oauth.token>> = {
      client_secret_basic: () => oauth.token(wrong),
      client_secret_post: () => oauth.token({ ...wrong, client_id: id, client_secret: key }, null),
      none: () => oauth.token({ ...wrong, client_id: id }, null),
    };
    for (const way of metadata.token_endpoint_auth_methods_supported) expect((await ways[way]!()).json.error, way).toBe('invalid_grant');
  });
});
