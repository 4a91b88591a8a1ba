import { sha256 } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { holdsSession, issueSessionCookie } from './session-cookie.ts';

const https = 'https://host.example';
const http = 'http://127.0.0.1:8400';
const session = { sessionId: 'pgs0123456789ABCDEFGHIJKL', frameAncestors: [] as string[], lifetimeSeconds: 3_600 };
const pair = (cookie: string) => cookie.split(';')[0]!;

describe('the cookie of a page session', () => {
  test('is a __Host- cookie over https, which goes into pages of others only where they may hold the page', () => {
    const name = /^__Host-bulkhead_page_pgs0123456789ABCDEFGHIJKL=[0-9A-Za-z]{43}; Path=\/; Max-Age=3600; HttpOnly; /.source;
    expect(issueSessionCookie(session, https).cookie).toMatch(new RegExp(`${name}SameSite=Lax; Secure$`));
    const framed = { ...session, frameAncestors: ['https://app.customer.example'] };
    expect(issueSessionCookie(framed, https).cookie).toMatch(new RegExp(`${name}SameSite=None; Secure; Partitioned$`));
  });

  test('has neither prefix nor Secure on plain http, where browsers would drop it', () => {
    for (const frameAncestors of [[], [http]])
      expect(issueSessionCookie({ ...session, frameAncestors }, http).cookie).toMatch(
        /^bulkhead_page_\w+=\w{43}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/,
      );
  });

  test('is held by the browser that got it, among other cookies, and by no other', () => {
    const { cookie, hash } = issueSessionCookie(session, https);
    const kept = { sessionId: session.sessionId, browserHash: hash };
    expect(sha256(pair(cookie).split('=')[1]!)).toEqual(hash);
    expect(holdsSession(`a=b; ${pair(cookie)}; c=d`, kept, https)).toBe(true);
    for (const [header, of] of [
      [undefined, kept],
      ['', kept],
      [pair(cookie), { ...kept, browserHash: null }],
      [pair(cookie), { ...kept, sessionId: 'pgsLKJIHGFEDCBA9876543210' }],
      [pair(cookie).slice('__Host-'.length), kept],
      [`${pair(cookie)}x`, kept],
      [`${pair(cookie)}; ${pair(cookie)}`, kept],
    ] as const)
      expect(holdsSession(header, of, https)).toBe(false);
  });
});
