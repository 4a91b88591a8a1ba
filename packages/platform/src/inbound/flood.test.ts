import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SECRET = 'the secret of both Applications';
/** More than the places of all addresses together. */
const FLOOD = 100;

let world: World;
const sockets: Socket[] = [];
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await world[Symbol.asyncDispose]();
});

async function expecting(): Promise<{ id: string; apiKey: string }> {
  const application = await world.application();
  await world.meta('POST', `/applications/${application.id}/inbound_webhooks`, { service: 'github', secret: SECRET });
  return application;
}

/** A message that never ends: its body stays away. */
async function begun(applicationId: string): Promise<void> {
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write(`POST /v1/inbound/${applicationId}/github HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-length: 1000\r\n\r\n{`);
}

const flood = (applicationId: string): Promise<unknown> => Promise.all(Array.from({ length: FLOOD }, () => begun(applicationId)));

function send(applicationId: string, n: string) {
  const body = JSON.stringify({ n });
  const signature = createHmac('sha256', SECRET).update(body).digest('hex');
  return world.call('POST', `/v1/inbound/${applicationId}/github`, { headers: { 'x-hub-signature-256': `sha256=${signature}` }, body });
}

describe('T5: a flood at the address of one Application', () => {
  test('takes no place from the messages of others, nor from any other request', { timeout: 90_000 }, async () => {
    const [flooded, neighbour] = [await expecting(), await expecting()];
    await flood(flooded.id);
    const read = await world.call('GET', '/v1/inbound_messages', { headers: { authorization: `APIKey ${neighbour.apiKey}` } });
    expect(read.status).toBe(200);
    for (const n of ['1', '2', '3']) expect((await send(neighbour.id, n)).status).toBe(200);
    // Control: the flooded address itself has no place left, and is told that it is its own doing. Begun again each time, because what
    // stays silent is cut off after a while.
    await expect
      .poll(
        async () => {
          await flood(flooded.id);
          const { status, headers } = await send(flooded.id, '1');
          return [status, headers.has('retry-after')];
        },
        { timeout: 60_000 },
      )
      .toEqual([429, true]);
  });
});
