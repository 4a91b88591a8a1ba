/** What a service writes in answer to `/first`, and what may become of it. */
export interface HostileAnswer {
  readonly what: string;
  readonly method?: 'GET' | 'HEAD';
  readonly bytes: string;
  /** `refused`: 502 of ours. `broken`: the caller's connection breaks. Otherwise the body that the caller gets, and not a byte more. */
  readonly becomes: 'refused' | 'broken' | { readonly body: string };
}

const becomes = (body: string) => ({ body });
/** A whole answer that nobody asked for. */
export const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
const OK = 'HTTP/1.1 200 OK\r\n';

const framed = (fields: string, body: string, expected: HostileAnswer['becomes'] = 'refused'): HostileAnswer => ({
  what: JSON.stringify(fields),
  bytes: `${OK}${fields}\r\n${body}`,
  becomes: expected,
});
const field = (what: string, fields: string, expected: HostileAnswer['becomes'] = 'refused'): HostileAnswer => ({
  what: `a field ${what}`,
  bytes: `${OK}${fields}Content-Length: 2\r\n\r\nok`,
  becomes: expected,
});
const status = (line: string, expected: HostileAnswer['becomes'] = 'refused'): HostileAnswer => ({
  what: `status line ${JSON.stringify(line)}`,
  bytes: `${line}\r\nContent-Length: 2\r\n\r\nok`,
  becomes: expected,
});
const chunk = (what: string, body: string, expected: HostileAnswer['becomes'] = 'broken'): HostileAnswer => ({
  what: `a chunk ${what}`,
  bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n${body}`,
  becomes: expected,
});

export const HOSTILE_ANSWERS: readonly HostileAnswer[] = [
  // More than one answer to one request
  { what: 'two answers at once', bytes: `${OK}Content-Length: 2\r\n\r\nok${POISON}`, becomes: becomes('ok') },
  {
    what: 'an answer in chunks and another',
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${POISON}`,
    becomes: becomes('ok'),
  },
  { what: 'an answer and bytes that are none', bytes: `${OK}Content-Length: 2\r\n\r\nok\r\n\r\nxx`, becomes: becomes('ok') },
  { what: 'a body where 204 has none', bytes: `HTTP/1.1 204 No Content\r\n\r\n${POISON}`, becomes: becomes('') },
  {
    what: '204 with a length',
    bytes: `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    becomes: becomes(''),
  },
  {
    what: '204 in chunks',
    bytes: `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    becomes: becomes(''),
  },
  {
    what: 'a body where 304 has none',
    bytes: `HTTP/1.1 304 Not Modified\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    becomes: becomes(''),
  },
  { what: 'a body to HEAD', method: 'HEAD', bytes: `${OK}Content-Length: ${POISON.length}\r\n\r\n${POISON}`, becomes: becomes('') },
  {
    what: 'a body in chunks to HEAD',
    method: 'HEAD',
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    becomes: becomes(''),
  },
  {
    what: 'a note on the way, and two answers',
    bytes: `HTTP/1.1 103 Early Hints\r\n\r\n${OK}Content-Length: 2\r\n\r\nok${POISON}`,
    becomes: becomes('ok'),
  },
  // Framed twice, or by nothing that frames
  framed('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Content-Length: 2\r\nContent-Length: 3\r\n', 'ok!'),
  framed('Content-Length: 2\r\nContent-Length: 2\r\n', 'ok'),
  framed('Content-Length: 2, 2\r\n', 'ok'),
  framed('Content-Length: +2\r\n', 'ok'),
  framed('Content-Length: -2\r\n', 'ok'),
  framed('Content-Length: 0x2\r\n', 'ok'),
  framed('Content-Length: 2 2\r\n', 'ok'),
  framed('Content-Length: 18446744073709551618\r\n', 'ok'),
  framed('Content-Length : 2\r\n', 'ok'),
  framed('Transfer-Encoding: xchunked\r\nConnection: close\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Transfer-Encoding: gzip, chunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Transfer-Encoding: chunked, identity\r\nConnection: close\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Transfer-Encoding: identity\r\nConnection: close\r\n', '2\r\nok\r\n0\r\n\r\n'),
  framed('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  // Chunks
  chunk('with an extension', '1;a=b\r\n!\r\n0\r\n\r\n', becomes('ok!')),
  chunk('whose size overflows', '10000000000000001\r\n!\r\n0\r\n\r\n'),
  chunk('whose size is negative', '-1\r\n!\r\n0\r\n\r\n'),
  chunk('whose size is written 0x1', '0x1\r\n!\r\n0\r\n\r\n'),
  chunk('whose size ends in a bare LF', '1\n!\r\n0\r\n\r\n'),
  chunk('that ends in a bare LF', '1\r\n!\n0\r\n\r\n'),
  chunk('longer than its size', '1\r\n!!\r\n0\r\n\r\n'),
  chunk('after which a trailer gives a length', `0\r\nContent-Length: 9\r\n\r\n`),
  // Fields
  field('that is folded', 'X: a\r\n b\r\n'),
  field('that holds a bare CR', 'X: a\rSet-Cookie: b=c\r\n'),
  field('that ends in a bare LF', 'X: a\nSet-Cookie: b=c\r\n'),
  field('that holds NUL', 'X: a\x00b\r\n'),
  field('that holds another control character', 'X: a\x01b\r\n'),
  field('whose name has a space', 'X Y: a\r\n'),
  field('whose name ends in a space', 'Set-Cookie : a=b\r\n'),
  field('whose name is empty', ': a\r\n'),
  field('without a colon', 'X\r\n'),
  field('before which a space stands', ' X: a\r\n'),
  // Apache says so in each answer: an offer, not a switch.
  field('that offers another protocol', 'Connection: Upgrade\r\nUpgrade: h2c\r\n', becomes('ok')),
  // Status lines
  status('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c'),
  status('HTTP/1.1 100 Continue'),
  status('HTTP/1.1 000 Nothing'),
  status('HTTP/1.1 2000 OK'),
  status('HTTP/1.1 20 OK'),
  status('HTTP/1.1 2x0 OK'),
  status('HTTP/1.1200 OK'),
  status('HTTP/2 200 OK'),
  status('HTTP/0.9 200 OK', becomes('ok')),
  status('http/1.1 200 OK'),
  status('ICY 200 OK'),
  status('SSH-2.0-OpenSSH_9.9'),
  status('HTTP/1.1 200 OK\rX: y'),
  status('HTTP/1.1 200', becomes('ok')),
  status('HTTP/1.1 200 OK \x80', becomes('ok')),
];
