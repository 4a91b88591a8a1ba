import { describe, expect, test } from 'vitest';
import { wireCall } from '../../test/raw-wire.ts';
import { SMUGGLING, type Smuggling } from '../../test/smuggling-corpus.ts';
import { head, useWireWorld, values, type WireWorld } from '../../test/wire-world.ts';

let world: WireWorld['world'];
let upstream: WireWorld['upstream'];
let key: WireWorld['key'];
let doors: Record<'streamed' | 'held', string>;

useWireWorld((made) => {
  ({ world, upstream, key } = made);
  doors = { streamed: made.streamed, held: made.held };
});

/** A request that nothing is wrong with, the last of its connection. */
const next = (door: string) => head(`GET ${door}/next HTTP/1.1`, ['Host: bulkhead', `Authorization: ${key}`, 'Connection: close']);
const written = (door: string, { start = 'POST {path} HTTP/1.1', fields = '', body = '{next}' }: Smuggling) =>
  `${start.replace('{path}', `${door}/first`)}\r\nHost: bulkhead\r\nAuthorization: ${key}\r\n${fields}\r\n${body.replace('{next}', next(door))}`;

describe('what two parsers could read as two different requests', () => {
  test.each(SMUGGLING)('reaches the service as one request or not at all: $what', async (row) => {
    for (const door of Object.values(doors)) {
      upstream.reset();
      const bytes = written(door, row);
      const answer = await wireCall(world.url, bytes);
      // Throws where the service got anything that is not a whole, well-formed request.
      const seen = upstream.requests();
      const firsts = seen.filter(({ start }) => start.includes('/first'));
      if (row.reaches === 'next') {
        expect(answer.bytes.toString('latin1')).toMatch(/^HTTP\/1.1 4\d\d /);
        expect(seen.map((each) => each.start)).toEqual(['GET /api/next HTTP/1.1']);
        continue;
      }
      if (row.reaches === 'none') {
        expect(seen).toEqual([]);
        // And what stood behind it on the connection is nobody's request any more.
        if (answer.bytes.length > 0) expect(answer.bytes.toString('latin1')).toMatch(/^HTTP\/1.1 (?:4\d\d|505) /);
        expect(answer.bytes.toString('latin1').match(/^HTTP\/1.1 2/gm)).toBeNull();
        continue;
      }
      expect(firsts.map(({ body }) => body.toString('latin1'))).toEqual([row.reaches.body]);
      expect(values(firsts[0], 'transfer_encoding')).toEqual([]);
      // What came behind it is a request of its own, and the only other one.
      expect(seen.length).toBe(bytes.includes('/next ') ? 2 : 1);
    }
  });
});
