import { sha256 } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import { clearedBrowserMarker, isSameBrowser, issueBrowserMarker } from './browser-marker.ts';

const https = 'https://connect.example';
const http = 'http://127.0.0.1:8400';
const one = sha256('one');
const two = sha256('two');
const pair = (cookie: string) => cookie.split(';')[0]!;

describe('the marker of a browser', () => {
  it('is a __Host- cookie over https: Secure, HttpOnly, Lax, no Domain', () => {
    expect(issueBrowserMarker(one, https).cookie).toMatch(
      /^__Host-bulkhead_flow_[0-9a-f]{16}=[0-9A-Za-z]{43}; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  it('has neither prefix nor Secure on plain http, where browsers would drop it', () => {
    expect(issueBrowserMarker(one, http).cookie).toMatch(
      /^bulkhead_flow_[0-9a-f]{16}=[0-9A-Za-z]{43}; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/,
    );
  });

  it('only its hash is kept', () => {
    const { cookie, hash } = issueBrowserMarker(one, https);
    expect(sha256(pair(cookie).split('=')[1]!)).toEqual(hash);
  });

  it('opens its own flow, among the cookies of other flows', () => {
    const [mine, other] = [issueBrowserMarker(one, https), issueBrowserMarker(two, https)];
    const header = `theme=dark; ${pair(other.cookie)}; ${pair(mine.cookie)}`;
    expect(isSameBrowser(header, { transactionHash: one, browserHash: mine.hash }, https)).toBe(true);
    expect(isSameBrowser(header, { transactionHash: two, browserHash: other.hash }, https)).toBe(true);
  });

  it('does not open a flow without, with another value, or under the name that another host could plant', () => {
    const mine = issueBrowserMarker(one, https);
    const flow = { transactionHash: one, browserHash: mine.hash };
    expect(isSameBrowser(undefined, flow, https)).toBe(false);
    expect(isSameBrowser('', flow, https)).toBe(false);
    expect(isSameBrowser(pair(issueBrowserMarker(one, https).cookie), flow, https)).toBe(false);
    expect(isSameBrowser(pair(mine.cookie).replace('__Host-', ''), flow, https)).toBe(false);
    expect(isSameBrowser(pair(mine.cookie), flow, https)).toBe(true);
  });

  it('is refused when it comes twice: one of them was planted', () => {
    const mine = issueBrowserMarker(one, http);
    const flow = { transactionHash: one, browserHash: mine.hash };
    const planted = issueBrowserMarker(one, http);
    expect(isSameBrowser(`${pair(planted.cookie)}; ${pair(mine.cookie)}`, flow, http)).toBe(false);
  });

  it('is taken away at the end', () => {
    expect(clearedBrowserMarker(one, https)).toContain('=; Path=/; Max-Age=0;');
  });
});
