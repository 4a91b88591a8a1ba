import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { WireConnection } from '../../test/raw-wire.ts';
import { head, useWireWorld, whole, type WireWorld } from '../../test/wire-world.ts';

let world: WireWorld['world'];
let upstream: WireWorld['upstream'];
let key: WireWorld['key'];
let send: WireWorld['send'];
let doors: Record<'streamed' | 'held', string>;

useWireWorld((made) => {
  ({ world, upstream, key, send } = made);
  doors = { streamed: made.streamed, held: made.held };
});

const OK = head('HTTP/1.1 200 OK', ['Content-Length: 2']) + 'ok';
const code = async (answer: ReturnType<WireWorld['send']>) => {
  const { start, body } = whole(await answer);
  return [Number(start.split(' ')[1]), (JSON.parse(body.toString()) as { code?: string }).code];
};

/** Answers the first request of each connection, and breaks the connection at its second: it had closed it, and the request crossed. */
const closesAtReuse = (how: (connection: WireConnection) => void) => {
  upstream.answer = (connection) => {
    if (connection.answered === 1) connection.socket.write(OK);
    else how(connection);
  };
};
const WAYS: readonly (readonly [string, (connection: WireConnection) => void])[] = [
  ['by closing it', ({ socket }) => void socket.end()],
  ['by a reset', ({ socket }) => void socket.resetAndDestroy()],
];

describe('a call is repeated only where it is safe (RFC 9110 §9.2.2)', () => {
  describe.each(WAYS)('when the service ends a resting connection %s', (_, how) => {
    test.each(['GET', 'HEAD', 'DELETE', 'PUT'])('%s without a body is sent once more', async (method) => {
      whole(await send('GET', `${doors.streamed}/warm`));
      closesAtReuse(how);
      upstream.connections.forEach((connection) => (connection.answered = 1));
      expect(whole(await send(method, `${doors.streamed}/x`), { head: method === 'HEAD' }).start).toBe('HTTP/1.1 200 OK');
      expect(upstream.requests().map(({ start }) => start.split(' ')[1])).toEqual(['/api/warm', '/api/x', '/api/x']);
    });

    test('PUT is sent once more with the body that was held', async () => {
      whole(await send('GET', `${doors.held}/warm`));
      closesAtReuse(how);
      upstream.connections.forEach((connection) => (connection.answered = 1));
      expect(whole(await send('PUT', `${doors.held}/x`, ['Content-Length: 5'], 'again')).start).toBe('HTTP/1.1 200 OK');
      expect(upstream.requests().map(({ body }) => body.toString())).toEqual(['', 'again', 'again']);
    });

    test.each([
      ['POST without a body', 'POST', 'held', [], ''],
      ['POST whose body was held', 'POST', 'held', ['Content-Length: 5'], 'hello'],
      ['PATCH', 'PATCH', 'held', ['Content-Length: 5'], 'hello'],
      ['PUT whose body went through', 'PUT', 'streamed', ['Content-Length: 5'], 'hello'],
    ] as const)('%s is not', async (__, method, door, fields, body) => {
      whole(await send('GET', `${doors[door]}/warm`));
      closesAtReuse(how);
      upstream.connections.forEach((connection) => (connection.answered = 1));
      expect(await code(send(method, `${doors[door]}/x`, fields, body))).toEqual([502, 'egress.unreachable']);
      expect(upstream.requests().map(({ start }) => start.split(' ')[1])).toEqual(['/api/warm', '/api/x']);
    });

    test('the second time is the last, although a third connection rests', async () => {
      // Three calls at once, answered together: three connections that have carried an answer.
      const waiting: WireConnection[] = [];
      upstream.answer = (connection) => {
        if (waiting.push(connection) === 3) for (const { socket } of waiting) socket.write(OK);
      };
      for (const answer of await Promise.all([1, 2, 3].map(() => send('GET', `${doors.streamed}/warm`)))) whole(answer);
      expect(upstream.connections).toHaveLength(3);
      upstream.answer = (connection) => how(connection);
      expect(await code(send('GET', `${doors.streamed}/x`))).toEqual([502, 'egress.unreachable']);
      expect(upstream.requests().filter(({ start }) => start.includes('/x '))).toHaveLength(2);
    });
  });

  test('a new connection that ends without an answer is believed', async () => {
    upstream.answer = ({ socket }) => void socket.end();
    expect(await code(send('GET', `${doors.streamed}/x`))).toEqual([502, 'egress.unreachable']);
    expect(upstream.requests()).toHaveLength(1);
  });

  test.each(['HTTP/1.1 2', 'HTTP/1.1 200 OK\r\n', 'x'])('a first byte of an answer ends the matter: %j', async (bytes) => {
    whole(await send('GET', `${doors.streamed}/warm`));
    upstream.answer = ({ socket }) => void socket.end(bytes);
    expect(await code(send('GET', `${doors.streamed}/x`))).toEqual([502, 'egress.unreachable']);
    expect(upstream.requests()).toHaveLength(2);
  });
});

describe('an answer that comes before the request has ended', () => {
  test('reaches the caller, and what is left of the body is not taken for a request', async () => {
    upstream.piece = ({ socket }, piece) => {
      if (piece.includes('begun')) socket.write(head('HTTP/1.1 413 Content Too Large', ['Content-Length: 3']) + 'big');
    };
    const smuggled = head(`GET ${doors.streamed}/smuggled HTTP/1.1`, ['Host: x', `Authorization: ${key}`, 'Connection: close']);
    const first = head(`PUT ${doors.streamed}/x HTTP/1.1`, ['Host: x', `Authorization: ${key}`, `Content-Length: ${5 + smuggled.length}`]);
    const sent = await new Promise<string>((resolve) => {
      let text = '';
      const caller = connect(Number(new URL(world.url).port), '127.0.0.1', () => caller.write(`${first}begun`));
      caller
        .on('data', (piece: Buffer) => {
          text += piece.toString();
          if (text.endsWith('big')) caller.end(smuggled);
        })
        .on('error', () => resolve(text))
        .on('close', () => resolve(text));
    });
    expect(sent).toMatch(/^HTTP\/1.1 413 [^]*big$/);
    expect(upstream.connections.some(({ received }) => received.toString().startsWith('GET /api/smuggled'))).toBe(false);
  });
});
