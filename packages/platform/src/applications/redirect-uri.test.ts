import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRedirectUri, redirectUriMatches } from './redirect-uri.ts';

describe('registering a redirect URI (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1)', () => {
  it.each([
    'https://app.example/callback',
    'https://app.example:8443/callback?tenant=7',
    'http://127.0.0.1/callback',
    'http://127.0.0.1:3000/callback',
    'http://[::1]:3000/callback',
    'http://localhost:3000/callback',
    'ktester://kloudless/callback',
    'com.example.app:/oauth',
  ])('takes %s as it is written', (url) => {
    expect(checkRedirectUri(url)).toBe(url);
  });

  it.each([
    ['a fragment', 'https://app.example/callback#x'],
    ['an empty fragment', 'https://app.example/callback#'],
    ['plain http outside loopback', 'http://app.example/callback'],
    ['plain http to what looks like loopback', 'http://127.0.0.1.example/callback'],
    ['plain http to a name that begins with localhost', 'http://localhost.example/callback'],
    ['a script', 'javascript:alert(1)'],
    ['a script in capitals', 'JavaScript:alert(1)'],
    ['data', 'data:text/html,x'],
    ['a file', 'file:///etc/passwd'],
    ['a blob', 'blob:https://app.example/x'],
    ['the out-of-band name', 'urn:ietf:wg:oauth:2.0:oob'],
    ['a user', 'https://user@app.example/callback'],
    ['a user and password', 'https://user:pass@app.example/callback'],
    ['a code parameter', 'https://app.example/callback?code=x'],
    ['a state parameter', 'https://app.example/callback?a=b&state=x'],
    ['an iss parameter, encoded', 'https://app.example/callback?i%73s=x'],
    ['an error parameter', 'https://app.example/callback?error='],
    ['a wildcard', 'https://*.app.example/callback'],
    ['a backslash', 'https://app.example\\@evil.example/'],
    ['a space', 'https://app.example/call back'],
    ['a tab', 'https://app.example/\tcallback'],
    ['a line break', 'https://app.example/callback\n'],
    ['letters outside ASCII', 'https://äpp.example/callback'],
    ['no scheme', 'app.example/callback'],
    ['only a path', '/callback'],
    ['no host', 'https://'],
    ['no slashes before the host', 'https:app.example/callback'],
    ['one slash before the host', 'https:/app.example/callback'],
    ['three slashes before the host', 'https:///app.example/callback'],
    ['no slashes before a loopback host', 'http:127.0.0.1/callback'],
    ['nothing', ''],
    ['too much', `https://app.example/${'x'.repeat(2048)}`],
  ])('refuses %s', (_what, url) => {
    expect(() => checkRedirectUri(url)).toThrow(expect.objectContaining({ code: 'redirect_uri.refused', field: 'url' }));
  });
});

describe('matching a redirect URI', () => {
  it('is by the exact text', () => {
    expect(redirectUriMatches('https://app.example/callback', 'https://app.example/callback')).toBe(true);
  });

  it.each([
    'https://app.example/callback/',
    'https://app.example/Callback',
    'https://app.example/callback?',
    'https://app.example/callback?a=b',
    'https://app.example:443/callback',
    'https://app.example./callback',
    'https://APP.example/callback',
    'HTTPS://app.example/callback',
    'http://app.example/callback',
    'https://app.example/%63allback',
    'https://app.example/x/../callback',
    'https://app.example/callback#',
    'https://app.example@evil.example/callback',
    'https://app.example.evil.example/callback',
    ' https://app.example/callback',
    'https://app.example/callback ',
  ])('tells %j from https://app.example/callback', (requested) => {
    expect(redirectUriMatches('https://app.example/callback', requested)).toBe(false);
  });

  it('of any changed character fails', () => {
    const registered = 'https://app.example/callback?tenant=7';
    fc.assert(
      fc.property(fc.integer({ min: 0, max: registered.length - 1 }), fc.string({ minLength: 0, maxLength: 2 }), (at, put) => {
        const changed = registered.slice(0, at) + put + registered.slice(at + 1);
        fc.pre(changed !== registered);
        expect(redirectUriMatches(registered, changed)).toBe(false);
      }),
    );
  });

  it('lets a loopback IP vary its port, and nothing else (RFC 8252 §7.3)', () => {
    expect(redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1:51004/cb')).toBe(true);
    expect(redirectUriMatches('http://127.0.0.1:3000/cb', 'http://127.0.0.1/cb')).toBe(true);
    expect(redirectUriMatches('http://[::1]:1/cb', 'http://[::1]:2/cb')).toBe(true);
    for (const other of [
      'http://127.0.0.1:1/other',
      'https://127.0.0.1:1/cb',
      'http://127.0.0.2:1/cb',
      'http://[::1]:1/cb',
      'http://localhost:1/cb',
      'http://127.0.0.1:1@evil.example/cb',
      'http://127.0.0.1:1.evil.example/cb',
      'http://127.0.0.1:/cb',
    ])
      expect(redirectUriMatches('http://127.0.0.1/cb', other)).toBe(false);
    expect(redirectUriMatches('http://localhost:1/cb', 'http://localhost:2/cb')).toBe(false);
    expect(redirectUriMatches('https://app.example:1/cb', 'https://app.example:2/cb')).toBe(false);
  });
});
