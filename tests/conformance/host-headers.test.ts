import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProbeRequest } from './hostile-requests.ts';
import { HostileWorld, type RawAnswer } from './hostile-world.ts';
import { REDIRECT_URI, SERVICE } from './oauth-world.ts';

let world: HostileWorld;
beforeAll(async () => {
  world = await HostileWorld.create();
  const { oauth } = world;
  await oauth.world.meta('POST', `/applications/${oauth.client.id}/services`, oauth.upstream.keyService('lantern', 'Lantern'));
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const EVIL = {
  host: 'evil.example',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-port': '666',
  'x-forwarded-prefix': '/evil.example',
  'x-original-host': 'evil.example',
  forwarded: 'host=evil.example;proto=gopher',
};
/** With a host that is none of ours, as a proxy that nobody trusts might say. */
const misled = (request: ProbeRequest) => world.send({ ...request, headers: { ...request.headers, ...EVIL } });
const ours = () => world.oauth.world.url;
const apiKey = () => ({ authorization: `APIKey ${world.oauth.client.key}` });
const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' };
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const start = (scope: string): ProbeRequest => ({
  method: 'GET',
  path: '/v1/oauth',
  query: { client_id: world.oauth.client.id, response_type: 'code', redirect_uri: REDIRECT_URI, scope, state: 'x', ...pkce },
});

function untouched(answer: RawAnswer): void {
  const everything = JSON.stringify(answer.headers) + answer.text;
  expect(everything).not.toContain('evil.example');
  expect(everything).not.toContain('gopher');
  expect(everything).not.toContain(':666');
}

describe('A6 Host, Forwarded and X-Forwarded-* of nobody we trust', () => {
  test('shape no line of the metadata (RFC 8414) and of the OpenAPI document', async () => {
    for (const path of ['/.well-known/oauth-authorization-server', '/v1/openapi.json']) {
      const request = { method: 'GET', path };
      const [honest, answer] = [await world.send(request), await misled(request)];
      untouched(answer);
      expect([answer.status, answer.text]).toEqual([200, honest.text]);
      expect(answer.text).toContain(ours());
    }
  });

  test('shape neither the callback that goes upstream nor iss and code of the answer, in a flow from end to end', async () => {
    const begun = await misled(start(SERVICE));
    untouched(begun);
    const upstream = new URL(begun.headers.location!);
    expect(upstream.searchParams.get('redirect_uri')?.startsWith(`${ours()}/v1/oauth/callback/`)).toBe(true);
    const back = (await fetch(upstream, { redirect: 'manual' })).headers.get('location')!;
    expect(back.startsWith(ours())).toBe(true);
    const cookie = begun.headers['set-cookie']!.map((line) => line.split(';')[0]).join('; ');
    const { pathname, search } = new URL(back);
    const ended = await misled({ method: 'GET', path: pathname + search, headers: { cookie } });
    untouched(ended);
    const answer = new URL(ended.headers.location!);
    expect([answer.origin, answer.searchParams.get('iss')]).toEqual(['https://client.example', ours()]);

    const redeemed = await misled({
      method: 'POST',
      path: '/v1/oauth/token',
      headers: apiKey(),
      form: {
        grant_type: 'authorization_code',
        code: answer.searchParams.get('code')!,
        code_verifier: VERIFIER,
        redirect_uri: REDIRECT_URI,
      },
    });
    untouched(redeemed);
    expect(redeemed.status).toBe(200);
    const { access_token, account_id } = JSON.parse(redeemed.text) as { access_token: string; account_id: number };
    const known = await misled({ method: 'POST', path: '/v1/oauth/introspect', headers: apiKey(), form: { token: access_token } });
    expect(JSON.parse(known.text)).toMatchObject({ active: true, iss: ours() });

    const link = await misled({ method: 'POST', path: `/v1/accounts/${account_id}/reconnect`, headers: apiKey() });
    untouched(link);
    expect(JSON.stringify(JSON.parse(link.text))).toContain(`${ours()}/v1/oauth?`);
  });

  test('shape no link, form or policy of the pages', async () => {
    const begun = await misled(start('any'));
    expect(begun.headers.location?.startsWith(`${ours()}/v1/oauth/authorize/`)).toBe(true);
    const cookie = begun.headers['set-cookie']!.map((line) => line.split(';')[0]).join('; ');
    const page = await misled({ method: 'GET', path: new URL(begun.headers.location!).pathname, headers: { cookie } });
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    untouched(page);
    untouched(await misled({ ...start('any'), query: { client_id: 'x' } }));
  });

  test('shape no callback_url that is shown for registering at a provider', async () => {
    const { oauth } = world;
    const answer = await misled({
      method: 'GET',
      path: `/v1/meta/applications/${oauth.client.id}/services`,
      headers: { authorization: `Bearer ${oauth.world.metaToken}` },
    });
    untouched(answer);
    expect(answer.text).toContain(`${ours()}/v1/oauth/callback/`);
  });
});
