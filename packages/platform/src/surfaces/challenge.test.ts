import type { IncomingCall, AnyRoute } from '@bulkhead/http';
import { httpErrors } from '@bulkhead/http';
import { describe, expect, test } from 'vitest';
import { challengeFor } from './challenge.ts';

const call = (authorization?: string): IncomingCall => ({
  requestId: 'r',
  method: 'GET',
  target: '/v1/accounts',
  headers: authorization === undefined ? {} : { authorization },
  params: {},
  query: {},
  form: {},
  remoteAddress: '127.0.0.1',
  signal: new AbortController().signal,
});
const route = (credentials: readonly string[], scope: string | null = null, path = '/v1/accounts') =>
  ({ credentials, scope, path }) as AnyRoute;
const resource = route(['api_key', 'bearer']);
const DPOP = 'DPoP realm="bulkhead", algs="ES256 ES384 PS256 RS256 EdDSA Ed25519"';
const needed = httpErrors('unauthorized', { params: { expected: 'a token' } });

describe('RFC 6750 §3 the challenge', () => {
  test.each([
    ['a resource', ['api_key', 'bearer'], `Bearer realm="bulkhead", ${DPOP}, APIKey realm="bulkhead"`],
    ['a token alone', ['bearer'], `Bearer realm="bulkhead", ${DPOP}`],
    ['the Meta API', ['meta_token'], 'Bearer realm="bulkhead"'],
    ['the back channel', ['client'], 'Basic realm="bulkhead", APIKey realm="bulkhead"'],
  ])('without a token it names every scheme that would do, and no error: %s', (_what, credentials, expected) => {
    expect(challengeFor(needed, route(credentials), call())).toBe(expected);
  });

  test('where Apps install themselves a Meta token may be the password of Basic; a token of an App is a JWT, or where scopes decide a Bearer', () => {
    expect(challengeFor(needed, route(['meta_token'], null, '/t/{application_id}/rest'), call())).toBe(
      'Bearer realm="bulkhead", Basic realm="bulkhead"',
    );
    expect(challengeFor(needed, route(['install'], null, '/t/{application_id}/rest'), call())).toBe('JWT realm="bulkhead"');
    expect(challengeFor(needed, route(['install'], 'app:READ', '/t/{application_id}/rest'), call())).toBe(
      'JWT realm="bulkhead", Bearer realm="bulkhead"',
    );
  });

  test.each([
    ['token.invalid', {}, 'Bearer bha_x', 'Bearer', 'invalid_token'],
    ['token.invalid', {}, 'DPoP bha_x', 'DPoP', 'invalid_token'],
    ['token.invalid_at_verify', {}, 'bearer bha_x', 'Bearer', 'invalid_token'],
    ['request.two_credentials', {}, undefined, 'Bearer', 'invalid_request'],
    ['forbidden', { params: { scope: 'x' } }, 'Bearer bha_x', 'Bearer', 'insufficient_scope'],
  ] as const)('%s is told as %s', (code, options, authorization, scheme, error) => {
    const challenge = challengeFor(httpErrors(code, options), resource, call(authorization)) ?? '';
    const [told] = challenge.split(/, (?=[A-Z][A-Za-z]+ realm)/).filter((part) => part.includes('error='));
    expect(told).toMatch(new RegExp(`^${scheme} realm="bulkhead", error="${error}", error_description="[^"]+"`));
    expect(challenge.match(/error="/g)).toHaveLength(1);
  });

  test('the scope that is missing stands with insufficient_scope, and only there', () => {
    const scoped = route(['meta_token'], 'applications:write');
    const forbidden = httpErrors('forbidden', { params: { scope: 'applications:write' } });
    expect(challengeFor(forbidden, scoped, call('Bearer bhm_x'))).toMatch(/, scope="applications:write"$/);
    expect(challengeFor(needed, scoped, call())).not.toContain('scope=');
  });

  test('what stands between the quotes cannot break out of them', () => {
    const said = httpErrors('forbidden', { params: { scope: 'a", realm="evil\\\r\nset-cookie: ü' } });
    const challenge = challengeFor(said, resource, call('Bearer bha_x')) ?? '';
    expect(challenge).toMatch(/^[\x20-\x7E]+$/);
    expect(challenge).not.toContain('realm="evil');
    expect(challenge.split('"').length % 2).toBe(1);
  });

  test.each([
    ['a client is told in the body (RFC 6749 §5.2)', httpErrors('request.two_credentials'), route(['client'])],
    ['a page asks for nothing', needed, route([])],
    ['what is no route', needed, null],
    ['what is not there', httpErrors('not_found'), resource],
    ['a fault of ours', httpErrors('server_error'), resource],
  ])('%s: none', (_what, error, asked) => {
    expect(challengeFor(error, asked, call('Bearer bha_x'))).toBeNull();
  });
});
