import { Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { HOSTILE_ANSWERS, POISON } from '../../test/hostile-answers.ts';
import { readMessage, wireCall } from '../../test/raw-wire.ts';
import { head, useWireWorld, values, whole, type WireWorld } from '../../test/wire-world.ts';

let world: WireWorld['world'];
let upstream: WireWorld['upstream'];
let send: WireWorld['send'];
let door: string;

useWireWorld((made) => {
  ({ world, upstream, send } = made);
  door = made.streamed;
});

const honest = (said: string) => head('HTTP/1.1 200 OK', [`Content-Length: ${said.length}`]) + said;

describe('a service that answers as no service should', () => {
  test.each(HOSTILE_ANSWERS)(
    'gives the caller one answer or none, and the next call its own: $what',
    async ({ method = 'GET', bytes, becomes }) => {
      upstream.answer = ({ socket }, { start }) => {
        const isFirst = start.includes('/first');
        socket.write(Buffer.from(isFirst ? bytes : honest('mine'), 'latin1'));
        // One that ends by closing, or waits for more, ends here.
        if (isFirst && becomes !== 'refused' && becomes !== 'broken') return;
        if (isFirst) socket.end();
      };
      const answer = await send(method, `${door}/first`);
      const text = answer.bytes.toString('latin1');
      if (becomes === 'refused') {
        expect(text).toMatch(/^HTTP\/1.1 502 /);
        expect(text).toContain('egress.unreachable');
      } else if (becomes === 'broken') {
        expect(text).toMatch(/^HTTP\/1.1 200 /);
        expect(readMessage(answer.bytes, 'answer')).toBeNull();
      } else {
        const message = whole(answer, { head: method === 'HEAD' });
        expect(message.body.toString('latin1')).toBe(becomes.body);
      }
      for (const hidden of ['set-cookie', 'Set-Cookie', 'poison']) expect(text).not.toContain(hidden);
      for (const path of ['/second', '/third']) expect(whole(await send('GET', `${door}${path}`)).body.toString()).toBe('mine');
      expect(upstream.requests().map(({ start }) => start.split(' ')[1])).toEqual(['/api/first', '/api/second', '/api/third']);
    },
  );
});

describe('an answer that nobody asked for', () => {
  test('written while the connection rests is the answer of no later call', async () => {
    upstream.answer = ({ socket }) => socket.write(honest('mine'), () => setImmediate(() => socket.write(POISON)));
    for (let round = 0; round < 10; round++) expect(whole(await send('GET', `${door}/x`)).body.toString()).toBe('mine');
  });

  test("is never another Application's, which has connections of its own", async () => {
    const api = { base_url: `${upstream.url}/api` };
    const others = await Promise.all(
      ['ann', 'bob'].map(async (name) => {
        const application = await world.application();
        await world.addService(application, {
          id: 'wire',
          friendly_name: 'Wire',
          auth: { type: 'api_key', in: 'header', name: 'X-Key' },
          api,
        });
        const account = await world.addAccount(application, 'wire', { apiKey: new Secret(`${name}-key`) });
        return { name, key: world.apiKey(application)['authorization'] ?? '', path: `/v1/accounts/${account}/proxy/x` };
      }),
    );
    upstream.answer = ({ socket }, request) => void socket.write(honest(values(request, 'x-key').join()) + POISON);
    const call = async ({ key, path }: (typeof others)[number]) =>
      whole(
        await wireCall(world.url, head(`GET ${path} HTTP/1.1`, ['Host: x', `Authorization: ${key}`, 'Connection: close'])),
      ).body.toString();
    for (let round = 0; round < 4; round++) {
      const said = await Promise.all(others.flatMap((each) => [call(each), call(each)]));
      expect(said).toEqual(['ann-key', 'ann-key', 'bob-key', 'bob-key']);
    }
    // And while nothing breaks them, connections are kept, each by the one who opened it.
    const poisoned = upstream.connections.length;
    upstream.answer = ({ socket }, request) => void socket.write(honest(values(request, 'x-key').join()));
    for (let round = 0; round < 4; round++) for (const each of others) expect(await call(each)).toBe(`${each.name}-key`);
    expect(upstream.connections.length - poisoned).toBe(2);
    for (const connection of upstream.connections) {
      const text = connection.received.toString();
      expect(text.includes('ann-key') && text.includes('bob-key')).toBe(false);
    }
  });

  test('the control: connections are kept, so a call could have got it', async () => {
    for (let round = 0; round < 3; round++) whole(await send('GET', `${door}/x`));
    expect(upstream.connections).toHaveLength(1);
    expect(upstream.requests()).toHaveLength(3);
  });
});
