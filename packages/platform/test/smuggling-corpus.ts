/** One way in which two parsers have read the same bytes as different messages. */
export interface Smuggling {
  readonly what: string;
  /** The first line; `{path}` stands for the path of the call. Default `POST {path} HTTP/1.1`. */
  readonly start?: string;
  /** Between first line and the empty line, as they are written, ends of lines included. */
  readonly fields?: string;
  /** After the empty line. `{next}` stands for a whole request that would succeed. */
  readonly body?: string;
  /**
   * `none`: nothing reaches the service, and the connection is over. `next`: refused, but its end is beyond doubt, so what comes behind
   * it is served. Otherwise the body of the one request that does.
   */
  readonly reaches: 'none' | 'next' | { readonly body: string };
}

const reaches = (body: string) => ({ body });
const none = 'none' as const;
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const length = (value: string, expected: Smuggling['reaches'] = none): Smuggling => ({
  what: `Content-Length: ${JSON.stringify(value)}`,
  fields: `Content-Length:${value}\r\n`,
  body: 'hello{next}',
  reaches: expected,
});
const coding = (value: string, expected: Smuggling['reaches'] = none): Smuggling => ({
  what: `Transfer-Encoding: ${JSON.stringify(value)}`,
  fields: `Transfer-Encoding:${value}\r\n`,
  body: `${CHUNKS}{next}`,
  reaches: expected,
});
const codingField = (field: string, expected: Smuggling['reaches'] = none): Smuggling => ({
  what: `${JSON.stringify(field)} beside a length`,
  fields: `Content-Length: 5\r\n${field}`,
  body: `0\r\n\r\n{next}`,
  reaches: expected,
});
const chunk = (what: string, body: string, expected: Smuggling['reaches'] = none): Smuggling => ({
  what: `a chunk ${what}`,
  fields: 'Transfer-Encoding: chunked\r\n',
  body,
  reaches: expected,
});
const field = (what: string, fields: string, expected: Smuggling['reaches'] = none, body = '{next}'): Smuggling => ({
  what: `a field ${what}`,
  start: 'GET {path} HTTP/1.1',
  fields,
  body,
  reaches: expected,
});
const start = (first: string, expected: Smuggling['reaches'] = none): Smuggling => ({
  what: `first line ${JSON.stringify(first)}`,
  start: first,
  body: '{next}',
  reaches: expected,
});

/**
 * What is sent to our port. Each ends in a whole request of its own (`{next}`), on its way to `/next`: where the two ends disagree about
 * where the first one ends, the service would see it. Rows that are well-formed say what the service gets, the rest that it gets nothing.
 */
export const SMUGGLING: readonly Smuggling[] = [
  // CL.TE, TE.CL
  codingField('Transfer-Encoding: chunked\r\n'),
  { what: 'a length after chunks', fields: 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', body: '0\r\n\r\n{next}', reaches: none },
  { what: 'a length of nothing beside chunks', fields: 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', body: CHUNKS, reaches: none },
  // TE.TE: obfuscations
  codingField('Transfer-Encoding : chunked\r\n'),
  codingField('Transfer-Encoding\t: chunked\r\n'),
  codingField(' Transfer-Encoding: chunked\r\n'),
  codingField('X: y\r\n Transfer-Encoding: chunked\r\n'),
  codingField('X: y\nTransfer-Encoding: chunked\r\n'),
  codingField('X: y\rTransfer-Encoding: chunked\r\n'),
  codingField('Transfer-Encoding:\r\n chunked\r\n'),
  codingField('Transfer-Encoding: chunked\u0000\r\n'),
  codingField('\u0000Transfer-Encoding: chunked\r\n'),
  codingField('Transfer\u2010Encoding: chunked\r\n'.replace('\u2010', '\x90')),
  codingField('TRANSFER-ENCODING: CHUNKED\r\n'),
  // To a server of the CGI family this is the same field; it goes no further.
  codingField('Transfer_Encoding: chunked\r\n', reaches('0\r\n\r\n')),
  coding(' chunked', reaches('hello')),
  coding('\tchunked', reaches('hello')),
  coding('CHUNKED ', reaches('hello')),
  coding(' xchunked'),
  coding(' chunkedx'),
  coding(' chunked, identity'),
  coding(' identity'),
  coding(' identity, chunked'),
  coding(' gzip, chunked'),
  coding(' chunked, gzip'),
  coding(' chunked, chunked'),
  coding(' chunked;q=1'),
  coding(' "chunked"'),
  coding(' \x0bchunked'),
  coding(' chunked\x0b'),
  coding(' chun\x00ked'),
  coding(''),
  { what: 'two Transfer-Encodings', fields: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', body: CHUNKS, reaches: none },
  {
    what: 'two Transfer-Encodings, alike',
    fields: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    body: CHUNKS,
    reaches: none,
  },
  // Lengths
  length(' 5', reaches('hello')),
  length('5 \t', reaches('hello')),
  length(' 05', reaches('hello')),
  length(' +5'),
  length(' -5'),
  length(' 5 5'),
  length(' 5,5'),
  length(' 5, 6'),
  length(' 5;'),
  length(' 5.0'),
  length(' 5e0'),
  length(' 0x5'),
  length(' 5\x0b'),
  length(' 5\x00'),
  length(' \xb2'),
  length(' '),
  length(' 18446744073709551621'),
  length(' 99999999999999999999999999999999'),
  { what: 'two unequal lengths', fields: 'Content-Length: 5\r\nContent-Length: 6\r\n', body: 'hello{next}', reaches: none },
  { what: 'two equal lengths', fields: 'Content-Length: 5\r\ncontent-length: 5\r\n', body: 'hello{next}', reaches: none },
  { what: 'a length with a space before its colon', fields: 'Content-Length : 5\r\n', body: 'hello{next}', reaches: none },
  // Chunks
  chunk('with an extension', '5;a=b\r\nhello\r\n0;c="d"\r\n\r\n{next}', reaches('hello')),
  chunk('of zeros', '005\r\nhello\r\n000\r\n\r\n{next}', reaches('hello')),
  chunk('with an extension that ends in a bare LF', '5;a\nhello\r\n0\r\n\r\n{next}'),
  chunk('with an extension that holds a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('with an endless extension', `5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n{next}`),
  chunk('whose size ends in a bare LF', '5\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size ends in a bare CR', '5\rhello\r\n0\r\n\r\n{next}'),
  chunk('whose size has a sign', '+5\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size is negative', '-5\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size is written 0x5', '0x5\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size begins with a space', ' 5\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size ends in a space', '5 \r\nhello\r\n0\r\n\r\n{next}'),
  chunk('of no size', '\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size overflows 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('whose size overflows 32 bits', '100000005;\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('longer than its size', '3\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('shorter than its size', '8\r\nhello\r\n0\r\n\r\n{next}'),
  chunk('that ends in a bare LF', '5\r\nhello\n0\r\n\r\n{next}'),
  chunk('that ends in two bytes of something', '5\r\nhelloXX0\r\n\r\n{next}'),
  chunk('after which a trailer is folded', '5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n{next}'),
  chunk('after which a trailer gives a length', '5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n{next}'),
  chunk('after which a trailer gives a coding', '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n{next}'),
  // Fields
  field('that is folded', 'X: a\r\n b\r\n'),
  field('that holds a bare CR', 'X: a\rb\r\n'),
  field('that ends in a bare LF', 'X: a\nY: b\r\n'),
  field('that holds NUL', 'X: a\x00b\r\n'),
  field('that holds another control character', 'X: a\x01b\r\n'),
  field('whose name has a space', 'X Y: a\r\n'),
  field('whose name ends in a space', 'X : a\r\n'),
  field('whose name is empty', ': a\r\n'),
  field('whose name holds NUL', 'X\x00: a\r\n'),
  field('whose name is not ASCII', 'X\xe9: a\r\n'),
  field('without a colon', 'X\r\n'),
  field('before which a space stands', ' X: a\r\n'),
  field('that is a second Host', 'Host: other\r\n'),
  field('that is a second Authorization', 'Authorization: Bearer x\r\n'),
  // What follows in the same packet would be in the other protocol: it is dropped.
  field(
    'that asks for another protocol',
    'Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    reaches(''),
    '',
  ),
  field(
    'that asks for a websocket',
    'Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n',
    reaches(''),
    '',
  ),
  field('that expects what nobody can give', 'Expect: 200-ok\r\n', 'next'),
  // First lines. Words may stand further apart (RFC 9112 §3).
  start('GET  {path} HTTP/1.1', reaches('')),
  start('GET {path}'),
  start('GET {path} HTTP/0.9'),
  start('GET {path} HTTP/1.2'),
  start('GET {path} HTTP/1.10'),
  start('GET {path} HTTP/2.0'),
  start('GET {path} http/1.1'),
  start('GET {path} HTTP/1.1 '),
  start('GET\t{path} HTTP/1.1'),
  start(' GET {path} HTTP/1.1'),
  start('GET {path} x HTTP/1.1'),
  start('GET {path}\x00 HTTP/1.1'),
  start('GET {path}#x HTTP/1.1', 'next'),
  start('GET {path}\xe9 HTTP/1.1'),
  start('get {path} HTTP/1.1'),
  start('G\x00T {path} HTTP/1.1'),
  start('TRACE {path} HTTP/1.1', 'next'),
  start('TRACK {path} HTTP/1.1'),
  start('CONNECT {path} HTTP/1.1'),
  start('CONNECT evil.example:443 HTTP/1.1'),
  start('GET http://bulkhead{path} HTTP/1.1'),
  start('GET http://evil.example{path} HTTP/1.1'),
  start('GET //evil.example{path} HTTP/1.1', 'next'),
  start('GET bulkhead{path} HTTP/1.1'),
  start('OPTIONS * HTTP/1.1'),
  start('PRI * HTTP/2.0'),
  start('{path} GET HTTP/1.1'),
  start('\r\nGET {path} HTTP/1.1', reaches('')),
];
