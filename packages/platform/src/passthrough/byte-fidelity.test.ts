import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ANSWERS, REQUESTS } from '../../test/fidelity-cases.ts';
import { readAll, readMessage, wireCall, type WireMessage } from '../../test/raw-wire.ts';
import { head, useWireWorld, values, whole, type WireWorld } from '../../test/wire-world.ts';

let world: WireWorld['world'];
let upstream: WireWorld['upstream'];
let key: WireWorld['key'];
let send: WireWorld['send'];
let doors: Record<'streamed' | 'held', string>;

useWireWorld((made) => {
  ({ world, upstream, key, send } = made);
  doors = { streamed: made.streamed, held: made.held };
});

const only = (requests: WireMessage[]): WireMessage => {
  expect(requests).toHaveLength(1);
  return requests[0]!;
};

describe.each(['streamed', 'held'] as const)('a request reaches the service byte for byte, its body %s', (way) => {
  test.each(REQUESTS)('$what', async ({ method = 'GET', path = '/x', fields = [], body, gets = '', framing }) => {
    const answer = await send(method, doors[way] + path, fields, body);
    expect(whole(answer, { head: method === 'HEAD' }).start).toBe('HTTP/1.1 200 OK');
    const seen = only(upstream.requests());
    expect(seen.start).toBe(`${method} /api${path} HTTP/1.1`);
    expect(seen.body.equals(Buffer.from(gets))).toBe(true);
    if (framing === undefined) expect(seen.framing).toMatch(/^(?:length|chunked)$/);
    else expect(seen.framing).toBe(framing);
  });

  test('with its header fields in order and case, repeated ones too, and bytes beyond ASCII', async () => {
    const sent = [
      'X-B: 1',
      'x-a: \xe9\xff',
      'ACCEPT: a/b',
      'X-b: 2',
      'x-empty:',
      'If-None-Match: "q", W/"r"',
      'x-tab: a\tb',
      'Range: bytes=0-1',
    ];
    whole(await send('GET', `${doors[way]}/x`, sent));
    const seen = only(upstream.requests());
    const ours = new Set(['host', 'connection', 'x-key', 'authorization']);
    expect(
      seen.fields.filter(([name]) => !ours.has(name.toLowerCase())).map(([name, value]) => `${name}:${value === '' ? '' : ' '}${value}`),
    ).toEqual(sent);
  });
});

describe('an answer reaches the caller byte for byte', () => {
  test.each(ANSWERS)('$what', async ({ method = 'GET', bytes, closes = false, status, body, fields = {}, trailers = [] }) => {
    upstream.answer = ({ socket }) => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      if (closes) socket.end();
    };
    const answer = whole(await send(method, `${doors.streamed}/x`), { head: method === 'HEAD' });
    expect(answer.start).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.body.equals(Buffer.from(body))).toBe(true);
    expect(answer.trailers).toEqual(trailers);
    for (const [name, expected] of Object.entries(fields)) expect(values(answer, name), name).toEqual(expected);
    only(upstream.requests());
  });

  test('with its header fields in order and case, repeated ones too, and bytes beyond ASCII', async () => {
    const sent = [
      'X-B: 1',
      'x-a: \xe9\xff',
      'ETAG: W/"e"',
      'X-b: 2',
      'WWW-Authenticate: Basic',
      'Www-Authenticate: Bearer realm="a, b"',
      'x-tab: a\tb',
    ];
    upstream.answer = ({ socket }) => void socket.write(Buffer.from(head('HTTP/1.1 200 OK', [...sent, 'Content-Length: 0']), 'latin1'));
    const answer = whole(await send('GET', `${doors.streamed}/x`));
    const lines = answer.fields.map(([name, value]) => `${name}: ${value}`);
    expect(lines.slice(0, sent.length)).toEqual(sent);
  });

  test('each event of a stream as it comes, before the next is written', async () => {
    let write: (text: string) => void = () => undefined;
    upstream.answer = ({ socket }) => {
      write = (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
      socket.write(head('HTTP/1.1 200 OK', ['Content-Type: text/event-stream', 'Transfer-Encoding: chunked']));
    };
    const events = ['data: 1\n\n', ': comment\n\n', 'id: 3\ndata: 3\n\n'];
    let sent = 0;
    // The next event is written only once the one before it (or the head) has arrived: one that waits in a buffer would never come.
    const answer = await wireCall(world.url, head(`GET ${doors.streamed}/events HTTP/1.1`, ['Host: x', `Authorization: ${key}`]), {
      until: (received) => {
        const text = received.toString();
        const arrived = sent === 0 ? text.includes('\r\n\r\n') : text.includes(events[sent - 1]!);
        if (arrived && sent === events.length) return true;
        if (arrived) write(events[sent++]!);
        return false;
      },
    });
    expect(answer.ended).toBe('open');
  });
});

describe('what is about one connection stays there', () => {
  test('Expect is answered by us, and the service gets the body without it', async () => {
    const answer = await send('POST', `${doors.streamed}/x`, ['Expect: 100-continue', 'Content-Length: 5'], 'hello');
    const [interim, final] = readAll(answer.bytes, 'answer');
    expect([interim?.start, final?.start]).toEqual(['HTTP/1.1 100 Continue', 'HTTP/1.1 200 OK']);
    const seen = only(upstream.requests());
    expect(seen.body.toString()).toBe('hello');
    expect(values(seen, 'expect')).toEqual([]);
  });

  test("a request's trailers and their announcement end here (RFC 9110 §6.5.1), its body does not", async () => {
    const body = '2\r\nok\r\n0\r\nX-Sum: 7\r\nAuthorization: Bearer x\r\n\r\n';
    whole(await send('POST', `${doors.streamed}/x`, ['Transfer-Encoding: chunked', 'Trailer: X-Sum, Authorization'], body));
    const seen = only(upstream.requests());
    expect([seen.body.toString(), seen.trailers, values(seen, 'trailer')]).toEqual(['ok', [], []]);
    expect(values(seen, 'x-key')).toEqual(['wire-key']);
  });

  test('fields that Connection names go no further, save those it must not name', async () => {
    const named = 'Connection: X-Drop, content-type ,close, x-key, authorization, content-length';
    await send(
      'POST',
      `${doors.streamed}/x`,
      [named, 'X-Drop: 1', 'X-Keep: 1', 'Content-Type: a/b', 'Content-Length: 2', 'TE: trailers', 'Upgrade: h2c', 'Keep-Alive: 5'],
      'ok',
    );
    const seen = only(upstream.requests());
    for (const name of ['x-drop', 'te', 'upgrade', 'keep-alive']) expect(values(seen, name), name).toEqual([]);
    expect(values(seen, 'x-keep')).toEqual(['1']);
    expect(values(seen, 'content-type')).toEqual(['a/b']);
    expect(values(seen, 'x-key')).toEqual(['wire-key']);
    expect(seen.body.toString()).toBe('ok');
  });
});

describe('what breaks off never looks whole', () => {
  const CUT: readonly (readonly [string, string, 'end' | 'reset'])[] = [
    ['inside its length', head('HTTP/1.1 200 OK', ['Content-Length: 10']) + 'half', 'end'],
    ['inside its length, by a reset', head('HTTP/1.1 200 OK', ['Content-Length: 10']) + 'half', 'reset'],
    ['inside a chunk', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '8\r\nhalf', 'end'],
    ['between chunks', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\n', 'end'],
    ['before the end of its trailers', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\n0\r\nX-A: b\r\n', 'end'],
    ['before a length of its trailers', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\n0\r\n', 'end'],
    ['in chunks, by a reset', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\n', 'reset'],
    ['without a length, by a reset', head('HTTP/1.1 200 OK', ['Content-Type: a/b']) + 'half', 'reset'],
    ['by bytes that are no chunk', head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\nzz\r\n', 'end'],
  ];
  const cutOff = async (bytes: string, how: 'end' | 'reset') => {
    upstream.answer = ({ socket }) => {
      socket.write(bytes);
      // Written, and so on its way, before the end of it.
      if (how === 'end') socket.end();
      else cutters.push(() => socket.resetAndDestroy());
    };
    const cutters: (() => void)[] = [];
    const answer = await wireCall(world.url, head(`GET ${doors.streamed}/x HTTP/1.1`, ['Host: x', `Authorization: ${key}`]), {
      until: (received) => {
        if (received.includes('half')) cutters.splice(0).forEach((cut) => cut());
        return received.toString().endsWith('0\r\n\r\n');
      },
    });
    return answer;
  };

  test.each(CUT)('cut off %s', async (_, bytes, how) => {
    const answer = await cutOff(bytes, how);
    expect(answer.bytes.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(answer.ended).not.toBe('open');
    expect(readMessage(answer.bytes, 'answer', { ended: answer.ended !== 'reset' })).toBeNull();
  });

  test('the control: the same in one piece does', async () => {
    const answer = await cutOff(head('HTTP/1.1 200 OK', ['Transfer-Encoding: chunked']) + '4\r\nhalf\r\n0\r\n\r\n', 'end');
    expect(readMessage(answer.bytes, 'answer')?.message.body.toString()).toBe('half');
  });

  test('a caller that breaks off in the middle of its body breaks off the call, and what the service got is not whole', async () => {
    const gone = Promise.withResolvers<void>();
    const caller = connect(Number(new URL(world.url).port), '127.0.0.1');
    upstream.piece = ({ socket, received }) => {
      socket.once('close', () => gone.resolve());
      if (received.includes('begun')) caller.destroy();
    };
    caller.write(head(`POST ${doors.streamed}/x HTTP/1.1`, ['Host: x', `Authorization: ${key}`, 'Content-Length: 100']) + 'begun');
    await gone.promise;
    expect(upstream.connections.map(({ received }) => readMessage(received, 'request'))).toEqual([null]);
  });

  test('a caller that leaves in the middle of the answer is no longer answered by the service', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.answer = ({ socket }) => {
      socket.write(head('HTTP/1.1 200 OK', ['Content-Length: 100']) + 'begun');
      socket.once('close', () => gone.resolve());
    };
    await wireCall(world.url, head(`GET ${doors.streamed}/x HTTP/1.1`, ['Host: x', `Authorization: ${key}`]), {
      until: (received) => received.includes('begun'),
    });
    await gone.promise;
    expect(upstream.connections.map(({ socket }) => socket.destroyed)).toEqual([true]);
  });
});
