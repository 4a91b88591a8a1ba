import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { World } from '@bulkhead/testkit';
import { afterEach, expect, test } from 'vitest';

/** Places of the class `api`. */
const PLACES = 128;

let world: World | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await world?.[Symbol.asyncDispose]();
  world = undefined;
});

/** A request that has its place, or waits for one, and whose body never comes. */
async function begin(url: string, apiKey: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  const head = `POST /v1/accounts HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: APIKey ${apiKey}\r\ncontent-type: application/json`;
  socket.write(`${head}\r\ncontent-length: 1000\r\n\r\n{`);
  return socket;
}

test('T5: in a full line an Application that asks once is next but one, although another asked thirty times before it', async () => {
  const started = (world = await World.create());
  const [many, one] = [await started.application(), await started.application()];
  const running = await Promise.all(Array.from({ length: PLACES }, () => begin(started.url, many.apiKey)));
  await delay(100);
  await Promise.all(Array.from({ length: 30 }, () => begin(started.url, many.apiKey)));
  await delay(100);
  let status: number | undefined;
  const answered = started
    .call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${one.apiKey}` } })
    .then((answer) => (status = answer.status));
  await delay(100);
  // Control: there is no place, and it waits.
  expect(status).toBe(undefined);
  // Two are free: the first is for whoever waits longest, the second for whoever has had none.
  running[0]!.destroy();
  running[1]!.destroy();
  expect(await answered).toBe(200);
});
