import { PlatformError } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import type { AnswerTarget } from './authorization-request.ts';
import { errorParameters, formTargets, responseMessage, responseUrl } from './authorization-response.ts';

const issuer = 'https://connect.example';

function target(fields: Partial<AnswerTarget> & { redirectUri?: string } = {}) {
  return {
    responseMode: 'query',
    redirectUri: 'https://app.example/done',
    origin: null,
    requestId: null,
    state: 's',
    ...fields,
  } as AnswerTarget & { redirectUri: string };
}

describe('RFC 6749 §4.1.2 and RFC 9207 §2 authorization response', () => {
  it('iss stands in every answer, an error too', () => {
    expect(responseUrl(target(), { code: 'c' }, issuer)).toBe('https://app.example/done?code=c&state=s&iss=https%3A%2F%2Fconnect.example');
    expect(new URL(responseUrl(target({ state: null }), { error: 'access_denied' }, issuer)).searchParams.get('iss')).toBe(issuer);
  });

  it.each(['a+b/c==', 'a b&c=d#e', '%2B', 'ü😀', '"<>'])(
    'state %s arrives as it came, for those who decode and those who decode "+" too',
    (state) => {
      const query = responseUrl(target({ state }), { code: 'c' }, issuer).split('?')[1]!;
      const raw = /(?:^|&)state=([^&]*)/.exec(query)![1]!;
      expect(decodeURIComponent(raw)).toBe(state);
      expect(new URLSearchParams(query).get('state')).toBe(state);
    },
  );

  it.each([
    ['https://app.example/done?tab=1', 'https://app.example/done?tab=1&code=c'],
    ['https://app.example/done?', 'https://app.example/done?code=c'],
    ['ktester://kloudless/callback', 'ktester://kloudless/callback?code=c'],
  ])('the registered text %s is kept, its query too', (redirectUri, expected) => {
    expect(responseUrl(target({ redirectUri, state: null }), { code: 'c' }, issuer).startsWith(`${expected}&iss=`)).toBe(true);
  });

  it('an implicit answer is in the fragment and nowhere else (RFC 6749 §4.2.2)', () => {
    const url = responseUrl(target({ responseMode: 'fragment' }), { access_token: 't' }, issuer);
    expect(url.split('#')[0]).toBe('https://app.example/done');
    expect(new URLSearchParams(url.split('#')[1]).get('access_token')).toBe('t');
  });
});

describe('RFC 6749 §4.1.2.1 error', () => {
  const error = (fields: { status: number; oauth?: string; text: string }) => new PlatformError('x', { wire: 'bad_request', ...fields });

  it('what has no OAuth code is the fault of the request or of the server', () => {
    expect(errorParameters(error({ status: 400, text: 'a' }))['error']).toBe('invalid_request');
    expect(errorParameters(error({ status: 500, text: 'a' }))['error']).toBe('server_error');
    expect(errorParameters(error({ status: 400, oauth: 'invalid_scope', text: 'a' }))['error']).toBe('invalid_scope');
  });

  it('error_description holds only the characters that are allowed', () => {
    expect(errorParameters(error({ status: 400, text: '"quoted" back\\slash\r\nü' }))['error_description']).toMatch(
      /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/,
    );
  });
});

describe('message to the browser SDK', () => {
  it('the id is the number the SDK gave, and other text stays text', () => {
    expect(responseMessage(target({ requestId: '123' }), {}, issuer).id).toBe(123);
    expect(responseMessage(target({ requestId: 'abc' }), {}, issuer).id).toBe('abc');
    expect(responseMessage(target({ requestId: '99999999999999999999' }), {}, issuer).id).toBe('99999999999999999999');
  });
});

describe('where a form may end', () => {
  it('is never a script or data scheme, and plain http only where we or a service are plain http', () => {
    expect(formTargets(target(), issuer)).toEqual(['https:']);
    expect(formTargets(target(), 'http://127.0.0.1:1')).toEqual(['https:', 'http:']);
    expect(formTargets(target(), issuer, ['http://127.0.0.1:1/authorize'])).toEqual(['https:', 'http:']);
    expect(formTargets(target({ redirectUri: 'ktester://kloudless/callback' }), issuer)).toEqual(['https:', 'ktester:']);
  });
});
