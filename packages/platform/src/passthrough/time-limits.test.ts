import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readAll } from '../../test/raw-wire.ts';
import { head, useWireWorld, whole, type WireWorld } from '../../test/wire-world.ts';
import { watchUpload } from './upload-watch.ts';

let upstream: WireWorld['upstream'];
let send: WireWorld['send'];
let door: string;

// The controls, calls that nothing is too slow for, are those of byte-fidelity.test.ts: under these times they would depend on the machine.
useWireWorld(
  (made) => {
    ({ upstream, send } = made);
    door = made.streamed;
  },
  { bodyMsMax: 300, upstreamTimes: { headersTimeoutMs: 1000, bodyIdleTimeoutMs: 300 } },
);

const code = async (answer: ReturnType<WireWorld['send']>) => {
  const { start, body } = whole(await answer);
  return [Number(start.split(' ')[1]), (JSON.parse(body.toString()) as { code?: string }).code];
};

describe('time limits', () => {
  test('no head of an answer in time: 504, and the connection is gone', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.answer = ({ socket }) => void socket.once('close', () => gone.resolve());
    expect(await code(send('GET', `${door}/x`))).toEqual([504, 'egress.timeout']);
    await gone.promise;
    expect(upstream.requests()).toHaveLength(1);
  });

  test('silence in the middle of an answer breaks it, and the connection is gone', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.answer = ({ socket }) => {
      socket.once('close', () => gone.resolve());
      socket.write(head('HTTP/1.1 200 OK', ['Content-Length: 100']) + 'begun');
    };
    const answer = await send('GET', `${door}/x`);
    await gone.promise;
    expect(() => readAll(answer.bytes, 'answer')).toThrow('cut off');
  });

  test('a service that takes no more of a body, and says nothing, does not hold the call', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.piece = ({ socket }) => void socket.pause().once('close', () => gone.resolve());
    const size = 64 * 1024 * 1024;
    const answer = await send('PUT', `${door}/x`, [`Content-Length: ${size}`], Buffer.alloc(size));
    // The caller is still writing when it is answered, so the answer may be lost with the connection.
    expect(answer.bytes.toString()).toMatch(/^(?:HTTP\/1.1 504 |$)/);
    expect(answer.ended).not.toBe('open');
    // A socket that is not read does not hear of its end.
    upstream.piece = () => undefined;
    for (const { socket } of upstream.connections) socket.resume();
    await gone.promise;
  });

  test('a caller that stops in the middle of its body hears 408, and the connection to the service is gone (S1)', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.piece = ({ socket }) => void socket.once('close', () => gone.resolve());
    expect(await code(send('PUT', `${door}/x`, ['Content-Length: 100'], 'begun'))).toEqual([408, 'request.too_slow']);
    await gone.promise;
    expect(upstream.connections.map(({ answered }) => answered)).toEqual([0]);
  });
});

describe('a body on its way', () => {
  afterEach(() => void vi.useRealTimers());
  const watched = () => {
    vi.useFakeTimers();
    const message = { complete: false, readableLength: 0, socket: { bytesRead: 0 } };
    const { signal, stop } = watchUpload(message as unknown as IncomingMessage, 100);
    return { message, signal, stop };
  };

  test('is given up when nothing has come for the whole time', () => {
    const { signal } = watched();
    vi.advanceTimersByTime(99);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
  });

  test.each<[string, (message: ReturnType<typeof watched>['message']) => void]>([
    ['while something comes', (message) => void (message.socket.bytesRead += 1)],
    ['while it waits for the service', (message) => void (message.readableLength = 1)],
    ['once it is whole', (message) => void (message.complete = true)],
  ])('is not given up %s', (_, act) => {
    const { message, signal, stop } = watched();
    for (let round = 0; round < 5; round++) {
      act(message);
      vi.advanceTimersByTime(100);
    }
    expect(signal.aborted).toBe(false);
    stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
