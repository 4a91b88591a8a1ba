import { describe, expect, test } from 'vitest';
import { PlatformError, verifyToken, type VerifyTokenOptions } from './index.ts';

const now = Date.UTC(2026, 0, 1);
const mine = 'app0123456789ABCDEFGHIJKL';
const scope = 'gdrive:normal.storage.default:kloudless gdrive:normal.all."https://a.example https://b.example":raw';
const good = { client_id: mine, account_id: 1001, scope, expires: new Date(now + 60_000).toISOString(), expires_in: 60, end_user: 'ada' };

/** A Bulkhead that gives this answer, and notes what it was asked. */
function bulkhead(body: unknown, status = 200) {
  const asked: { url: string; authorization: string | undefined; redirect: string }[] = [];
  const fetch: VerifyTokenOptions['fetch'] = async (url, init) => {
    asked.push({ url, authorization: init.headers['authorization'], redirect: init.redirect });
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  };
  return { fetch, asked };
}

async function verify(body: unknown, wanted: Partial<VerifyTokenOptions> = {}, status = 200) {
  const { fetch } = bulkhead(body, status);
  return verifyToken({ baseUrl: 'https://connect.example', applicationId: mine, token: 'bha_x', fetch, now: () => now, ...wanted });
}

async function refusal(body: unknown, wanted: Partial<VerifyTokenOptions> = {}, status = 200): Promise<string> {
  const thrown: unknown = await verify(body, wanted, status).then(
    () => null,
    (error: unknown) => error,
  );
  return thrown instanceof PlatformError ? thrown.code : `accepted or odd: ${String(thrown)}`;
}

describe('C6: the SDK accepts a token only if it is the caller’s', () => {
  test('control: the right Application, account, end user and scope are accepted', async () => {
    const wanted = { accountId: 1001, endUser: 'ada', scope: 'gdrive:normal.all."https://a.example https://b.example":raw' };
    expect(await verify(good, wanted)).toEqual({
      applicationId: mine,
      accountId: 1001,
      scope,
      endUser: 'ada',
      expiresAt: new Date(now + 60_000),
    });
  });

  test.each([
    ['of another Application', 'token.of_another_application', { ...good, client_id: 'app9999999999ABCDEFGHIJKL' }, {}],
    ['of another account', 'token.of_another_account', good, { accountId: 1002 }],
    ['of another end user', 'token.of_another_end_user', good, { endUser: 'eve' }],
    ['of no end user, where one is expected', 'token.of_another_end_user', { ...good, end_user: undefined }, { endUser: 'ada' }],
    ['without the scope', 'token.scope_missing', good, { scope: 'gdrive:normal.storage.read:kloudless' }],
    ['with a scope of which the wanted is only the beginning', 'token.scope_missing', good, { scope: 'gdrive:normal.storage' }],
    ['with nothing but part of a quoted scope', 'token.scope_missing', good, { scope: 'https://b.example' }],
    ['that has expired', 'token.refused', { ...good, expires: new Date(now).toISOString() }, {}],
    ['that has no time left', 'token.refused', { ...good, expires_in: 0 }, {}],
    ['with an expiry that is no time', 'token.refused', { ...good, expires: 'soon' }, {}],
    ['that could break out of the header', 'token.refused', good, { token: 'bha_x\r\nhost: evil' }],
    ['that is empty', 'token.refused', good, { token: '' }],
  ])('a token %s is refused', async (_, code, body, wanted) => {
    expect(await refusal(body, wanted)).toBe(code);
  });

  test.each([
    [400, { error_code: 'invalid_token' }, 'token.refused'],
    [401, { error_code: 'invalid_token' }, 'token.refused'],
    [403, good, 'token.unverified'],
    [500, { error_code: 'internal_error' }, 'token.unverified'],
    [200, '<html>sign in</html>', 'token.unverified'],
    [200, { active: true }, 'token.unverified'],
    [200, { ...good, account_id: '1001' }, 'token.unverified'],
    [200, { ...good, expires: undefined }, 'token.unverified'],
  ])('an answer %i %j is no proof', async (status, body, code) => {
    expect(await refusal(body, {}, status)).toBe(code);
  });

  test('an unreachable Bulkhead is no proof', async () => {
    expect(await refusal(good, { fetch: async () => Promise.reject(new TypeError('fetch failed')) })).toBe('token.unverified');
  });

  test('the token goes into the header of one request to the base URL, which must not redirect', async () => {
    const { fetch, asked } = bulkhead(good);
    await verifyToken({ baseUrl: 'https://connect.example/', applicationId: mine, token: 'bha_x', fetch, now: () => now });
    expect(asked).toEqual([{ url: 'https://connect.example/v1/oauth/token', authorization: 'Bearer bha_x', redirect: 'error' }]);
  });

  test('a token that does not expire is accepted and says so', async () => {
    expect((await verify({ ...good, expires: null, expires_in: undefined })).expiresAt).toBe(null);
  });
});
