import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld } from './oauth-world.ts';

/** RFC 7636 Appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

let oauth: OAuthWorld;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});
const codeFor = (code_challenge: string | undefined, code_challenge_method: string | undefined = 'S256') =>
  oauth.code({ code_challenge, code_challenge_method });

describe('RFC 7636 §4.2, §4.3 the challenge', () => {
  test.each([
    ['none', {}],
    ['a method without a challenge', { code_challenge_method: 'S256' }],
    ['plain', { code_challenge: VERIFIER, code_challenge_method: 'plain' }],
    ['no method, which means plain', { code_challenge: CHALLENGE }],
    ['an unknown method', { code_challenge: CHALLENGE, code_challenge_method: 'S512' }],
    ['a method in another case', { code_challenge: CHALLENGE, code_challenge_method: 's256' }],
    ['one that is too short', { code_challenge: CHALLENGE.slice(1), code_challenge_method: 'S256' }],
    ['one with other characters', { code_challenge: `${CHALLENGE.slice(1)}=`, code_challenge_method: 'S256' }],
  ])('A2: %s is invalid_request (§4.4.1)', async (_what, fields) => {
    const { answer } = await oauth.authorize(fields);
    expect(answer.get('error')).toBe('invalid_request');
    expect(answer.has('code')).toBe(false);
  });
});

describe('RFC 7636 §4.6 the verifier', () => {
  test("control: Appendix B's verifier opens a code of Appendix B's challenge", async () => {
    const { code } = await codeFor(CHALLENGE);
    expect((await oauth.redeem(code, VERIFIER)).status).toBe(200);
  });

  test.each([
    ['another', 'x'.repeat(43)],
    ['the challenge itself', CHALLENGE],
    ['none', undefined],
    ['an empty one', ''],
    ['one of 42 characters', VERIFIER.slice(1)],
    ['one of 129 characters', 'x'.repeat(129)],
    ['one with a space', `${VERIFIER.slice(1)} `],
  ])('%s gets nothing, and the code stays for its rightful holder', async (_what, verifier) => {
    const { code } = await codeFor(CHALLENGE);
    const refused = await oauth.redeem(code, verifier);
    expect(refused.status).toBe(400);
    expect(['invalid_grant', 'invalid_request']).toContain(refused.json.error);
    expect((await oauth.redeem(code, VERIFIER)).status).toBe(200);
  });

  test('a public client redeems with its verifier alone', async () => {
    const { code } = await codeFor(CHALLENGE);
    expect((await oauth.redeem(code, VERIFIER, { client_id: oauth.client.id }, null)).status).toBe(200);
  });
});

describe('A2: PKCE cannot be left out on the way (RFC 9700 §4.8.2)', () => {
  test('an Application may do without for clients that authenticate, and for no others', async () => {
    const client = await oauth.another({ pkce_required: false });
    const code = async () => (await oauth.authorize({ client_id: client.id })).answer.get('code')!;
    expect((await oauth.redeem(await code(), undefined, {}, client)).status).toBe(200);
    expect((await oauth.redeem(await code(), undefined, { client_id: client.id }, null)).json.error).toBe('invalid_grant');
  });

  test('a verifier for a code that was asked for without a challenge is refused', async () => {
    const client = await oauth.another({ pkce_required: false });
    const code = (await oauth.authorize({ client_id: client.id })).answer.get('code')!;
    expect((await oauth.redeem(code, VERIFIER, {}, client)).json.error).toBe('invalid_grant');
  });

  test('plain is refused even where PKCE may be left out', async () => {
    const client = await oauth.another({ pkce_required: false });
    expect(
      (await oauth.authorize({ client_id: client.id, code_challenge: VERIFIER, code_challenge_method: 'plain' })).answer.get('error'),
    ).toBe('invalid_request');
  });
});
