import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { WireMessage } from './raw-wire.ts';
import { head } from './wire-world.ts';

const everyByte = Buffer.from(Array.from({ length: 512 }, (_, at) => at % 256));
const chunked = (...pieces: (string | Buffer)[]) =>
  Buffer.concat([
    ...pieces.flatMap((piece) => [Buffer.from(`${Buffer.from(piece).length.toString(16)}\r\n`), Buffer.from(piece), Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ]);
/** What a caller writes and what the service must get. */
export interface RequestCase {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
  /** The body as the upstream must get it. */
  readonly gets?: string | Buffer;
  /** How it must end. Absent: by its length or in chunks, as the service can tell either way. */
  readonly framing?: 'none' | 'length';
}

export const REQUESTS: readonly RequestCase[] = [
  { what: 'no body', framing: 'none' },
  { what: 'HEAD', method: 'HEAD', framing: 'none' },
  { what: 'DELETE without a body', method: 'DELETE', framing: 'none' },
  { what: 'an empty body with its length', method: 'POST', fields: ['Content-Length: 0'], framing: 'length', gets: '' },
  { what: 'a body with its length', method: 'POST', fields: ['Content-Length: 5'], body: 'hello', gets: 'hello', framing: 'length' },
  {
    what: 'a body in chunks',
    method: 'POST',
    fields: ['Transfer-Encoding: chunked'],
    body: chunked('he', 'llo'),
    gets: 'hello',
  },
  {
    what: 'an empty body in chunks',
    method: 'POST',
    fields: ['Transfer-Encoding: chunked'],
    body: chunked(),
    gets: '',
  },
  {
    what: 'every byte, NUL among them',
    method: 'PUT',
    fields: [`Content-Length: ${everyByte.length}`],
    body: everyByte,
    gets: everyByte,
    framing: 'length',
  },
  { what: 'a body that GET carries', fields: ['Content-Length: 2'], body: '{}', gets: '{}', framing: 'length' },
  {
    what: 'a compressed body',
    method: 'PATCH',
    fields: ['Content-Encoding: gzip', `Content-Length: ${gzipSync('x').length}`],
    body: gzipSync('x'),
    gets: gzipSync('x'),
    framing: 'length',
  },
  {
    what: 'a body that looks like a request',
    method: 'POST',
    fields: ['Content-Length: 32'],
    body: '0\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n\r\n'.slice(0, 32),
    gets: '0\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n\r\n'.slice(0, 32),
    framing: 'length',
  },
  { what: 'a query', path: '/x?a=1&a=2&b=&c&=d&%20=+&e=%2B%2b', framing: 'none' },
  { what: 'an empty query', path: '/x?', framing: 'none' },
  { what: 'two question marks', path: '/x??a=b?c', framing: 'none' },
  { what: 'percent signs as they are written', path: '/%c3%A9/%7Ea/~a/%20/%2B+', framing: 'none' },
  { what: 'an encoded slash', path: '/a%2Fb/c%2fd', framing: 'none' },
  { what: 'empty segments', path: '/a//b///', framing: 'none' },
  { what: 'parameters and sub-delimiters', path: "/a;v=1,2/b:c@d/!$&'()*+,;=", framing: 'none' },
  { what: 'characters a URL should not have', path: '/a|b/{c}/"d"/^`<>[]', framing: 'none' },
  { what: 'nothing after the base', path: '', framing: 'none' },
  { what: 'a slash after the base', path: '/', framing: 'none' },
];

/** What a service writes and what the caller must get. */
export interface AnswerCase {
  readonly what: string;
  readonly method?: string;
  /** What the service writes, byte for byte. */
  readonly bytes: string | Buffer;
  /** Whether it closes the connection then. */
  readonly closes?: boolean;
  readonly status: number;
  readonly body: string | Buffer;
  readonly fields?: Readonly<Record<string, readonly string[]>>;
  readonly trailers?: WireMessage['trailers'];
}

const compressed = { gzip: gzipSync('plain'), br: brotliCompressSync('plain'), zstd: zstdCompressSync('plain') };
const lengthed = (body: Buffer, ...fields: string[]) =>
  Buffer.concat([Buffer.from(head('HTTP/1.1 200 OK', [...fields, `Content-Length: ${body.length}`])), body]);

export const ANSWERS: readonly AnswerCase[] = [
  {
    what: 'with its length',
    bytes: head('HTTP/1.1 200 OK', ['Content-Length: 2']) + 'ok',
    status: 200,
    body: 'ok',
    fields: { 'content-length': ['2'] },
  },
  {
    what: 'in chunks',
    bytes: Buffer.concat([Buffer.from(head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked'])), chunked('a', 'bc')]),
    status: 200,
    body: 'abc',
  },
  {
    what: 'ended by closing',
    bytes: head('HTTP/1.1 200 OK', ['Content-Type: text/plain']) + 'to the end',
    closes: true,
    status: 200,
    body: 'to the end',
  },
  { what: 'of HTTP/1.0', bytes: 'HTTP/1.0 200 OK\r\n\r\nold', closes: true, status: 200, body: 'old' },
  {
    what: 'empty, with its length',
    bytes: head('HTTP/1.1 200 OK', ['Content-Length: 0']),
    status: 200,
    body: '',
    fields: { 'content-length': ['0'] },
  },
  {
    what: 'empty, in chunks',
    bytes: Buffer.concat([Buffer.from(head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked'])), chunked()]),
    status: 200,
    body: '',
  },
  { what: 'of every byte, NUL among them', bytes: lengthed(everyByte), status: 200, body: everyByte },
  ...Object.entries(compressed).map(([coding, body]) => ({
    what: `compressed: ${coding}`,
    bytes: lengthed(body, `Content-Encoding: ${coding}`, 'Vary: Accept-Encoding'),
    status: 200,
    body,
    fields: { 'content-encoding': [coding], 'content-length': [String(body.length)] },
  })),
  {
    what: 'that lies about its coding',
    bytes: lengthed(Buffer.from('no gzip'), 'Content-Encoding: gzip'),
    status: 200,
    body: 'no gzip',
    fields: { 'content-encoding': ['gzip'] },
  },
  {
    what: '204',
    bytes: head('HTTP/1.1 204 No Content', ['ETag: "e"']),
    status: 204,
    body: '',
    fields: { etag: ['"e"'], 'content-length': [], 'transfer-encoding': [] },
  },
  {
    what: '304 with the length of what it does not carry',
    bytes: head('HTTP/1.1 304 Not Modified', ['ETag: "e"', 'Content-Length: 99']),
    status: 304,
    body: '',
    fields: { etag: ['"e"'], 'content-length': ['99'] },
  },
  {
    what: 'to HEAD, with the length of what it does not carry',
    method: 'HEAD',
    bytes: head('HTTP/1.1 200 OK', ['Content-Length: 12345']),
    status: 200,
    body: '',
    fields: { 'content-length': ['12345'] },
  },
  {
    what: 'to HEAD, without a length',
    method: 'HEAD',
    bytes: head('HTTP/1.1 200 OK', ['X-Y: z']),
    status: 200,
    body: '',
    fields: { 'content-length': [], 'x-y': ['z'] },
  },
  {
    what: '206 of a range',
    bytes: head('HTTP/1.1 206 Partial Content', ['Content-Range: bytes 0-1/9', 'Content-Length: 2']) + 'ab',
    status: 206,
    body: 'ab',
    fields: { 'content-range': ['bytes 0-1/9'] },
  },
  { what: 'of a status nobody knows', bytes: head('HTTP/1.1 599 Whatever', ['Content-Length: 1']) + 'x', status: 599, body: 'x' },
  {
    what: 'a redirect, handed back',
    bytes: head('HTTP/1.1 307 Temporary Redirect', ['Location: https://evil.example/?a=%2f', 'Content-Length: 0']),
    status: 307,
    body: '',
    fields: { location: ['https://evil.example/?a=%2f'] },
  },
  {
    what: 'after notes on the way (102, 103), which are not passed on',
    bytes:
      head('HTTP/1.1 102 Processing', []) +
      head('HTTP/1.1 103 Early Hints', ['Link: </x>', 'Set-Cookie: a=1']) +
      head('HTTP/1.1 200 OK', ['Content-Length: 2']) +
      'ok',
    status: 200,
    body: 'ok',
    fields: { link: [], 'set-cookie': [] },
  },
  {
    what: 'with trailers, save those that frame, route, authenticate or set something (RFC 9110 §6.5.1)',
    bytes:
      head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked', 'Trailer: X-Sum']) +
      '2\r\nok\r\n0\r\nX-Sum: 7\r\nx-SUM: 8\r\nSet-Cookie: a=1\r\nContent-Type: a/b\r\nAuthorization: x\r\nHost: y\r\n\r\n',
    status: 200,
    body: 'ok',
    trailers: [
      ['X-Sum', '7'],
      ['x-SUM', '8'],
    ],
  },
  {
    what: 'without what would act on our domain or is about one connection',
    bytes:
      head('HTTP/1.1 200 OK', [
        'Set-Cookie: a=1; Path=/',
        'SET-COOKIE: b=2',
        'Set-Cookie2: c=3',
        'Strict-Transport-Security: max-age=1',
        'Clear-Site-Data: "*"',
        'Alt-Svc: h3=":1"',
        'Keep-Alive: timeout=3',
        'Proxy-Authenticate: Basic',
        'Connection: X-Hop, x-other',
        'X-Hop: 1',
        'X-Other: 1',
        'X-Stays: 1',
        'Content-Length: 2',
      ]) + 'ok',
    status: 200,
    body: 'ok',
    fields: {
      'set-cookie': [],
      'set-cookie2': [],
      'strict-transport-security': [],
      'clear-site-data': [],
      'alt-svc': [],
      'proxy-authenticate': [],
      'x-hop': [],
      'x-other': [],
      'x-stays': ['1'],
    },
  },
];
