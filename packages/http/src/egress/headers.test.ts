import { describe, expect, it } from 'vitest';
import { forwardableRequestHeaders, forwardableResponseHeaders, forwardableTrailers, outgoingHeaders } from './headers.ts';

const names = (headers: readonly string[]): string[] => headers.filter((_, index) => index % 2 === 0);
const each = (...list: string[]): string[] => list.flatMap((name) => [name, 'v']);

describe('RFC 9110 §7.6.1 hop-by-hop fields', () => {
  const hopByHop = each(
    'Connection',
    'keep-alive',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'PROXY-CONNECTION',
    'TE',
    'Transfer-Encoding',
    'upgrade',
    'HTTP2-Settings',
  );

  it.each([
    ['requests', outgoingHeaders],
    ['callers', forwardableRequestHeaders],
    ['answers', forwardableResponseHeaders],
    ['trailers', forwardableTrailers],
  ])('are dropped from %s', (_, filter) => {
    expect(filter([...hopByHop, 'X-Kept', '1'])).toEqual(['X-Kept', '1']);
  });

  it.each(['X-Secret-Hop', 'x-secret-hop', 'close, X-SECRET-HOP ,keep-alive', ',, x-secret-hop,'])(
    'are also those that Connection names: %j',
    (connection) => {
      expect(names(outgoingHeaders(['X-Secret-Hop', 'v', 'Connection', connection, 'X-Kept', 'v']))).toEqual(['X-Kept']);
    },
  );

  it('are also those that a second Connection names', () => {
    expect(names(outgoingHeaders(['Connection', 'x-a', 'X-A', 'v', 'connection', 'x-b', 'X-B', 'v', 'X-C', 'v']))).toEqual(['X-C']);
  });

  it.each(['authorization', 'Content-Length', 'content-type', 'cookie', 'cache-control', 'date'])(
    'are never fields for the recipient, though Connection names them: %s',
    (name) => {
      expect(names(outgoingHeaders(['Connection', name, name, 'v']))).toEqual([name]);
    },
  );
});

describe('headers that are passed on', () => {
  it('keep their order, case, duplicates and empty values', () => {
    const headers = ['X-b', '2', 'x-A', '', 'X-B', '3', 'Content-Type', 'text/x', 'ETag', '"é"'];
    expect(outgoingHeaders(headers)).toEqual(headers);
    expect(forwardableRequestHeaders(headers)).toEqual(headers);
    expect(forwardableResponseHeaders(headers)).toEqual(headers);
  });

  it('of a caller hold neither its credential nor its traces', () => {
    const headers = each(
      'Authorization',
      'COOKIE',
      'Host',
      'Origin',
      'Referer',
      'Expect',
      'X-Forwarded-For',
      'x-forwarded-host',
      'Forwarded',
      'Via',
      'X-Real-IP',
      'Accept',
    );
    expect(names(forwardableRequestHeaders(headers))).toEqual(['Accept']);
    // Control: what the platform itself adds does go out, except where the connection writes it.
    expect(names(outgoingHeaders(headers))).toEqual([
      'Authorization',
      'COOKIE',
      'Origin',
      'Referer',
      'X-Forwarded-For',
      'x-forwarded-host',
      'Forwarded',
      'Via',
      'X-Real-IP',
      'Accept',
    ]);
  });

  it('of an answer set nothing on our origin', () => {
    const headers = each(
      'Set-Cookie',
      'set-cookie2',
      'Strict-Transport-Security',
      'Alt-Svc',
      'Clear-Site-Data',
      'NEL',
      'Report-To',
      'Service-Worker-Allowed',
      'Content-Encoding',
      'WWW-Authenticate',
    );
    expect(names(forwardableResponseHeaders(headers))).toEqual(['Content-Encoding', 'WWW-Authenticate']);
  });

  it('of a trailer neither frame nor authenticate (RFC 9110 §6.5.1)', () => {
    expect(
      names(
        forwardableTrailers(each('Content-Length', 'content-encoding', 'Host', 'Authorization', 'Set-Cookie', 'Trailer', 'X-Checksum')),
      ),
    ).toEqual(['X-Checksum']);
  });
});
