import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FaultProxy, type Flows, HELD } from './fault-proxy.ts';

let target: Server;
const atTarget: Socket[] = [];
const open: AsyncDisposable[] = [];
const clients: Socket[] = [];

/** Sends back what comes, and says goodbye when told goodbye. */
beforeEach(async () => {
  target = createServer({ allowHalfOpen: true }, (socket) => {
    atTarget.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
});
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  for (const socket of [...clients.splice(0), ...atTarget.splice(0)]) socket.destroy();
  target.close();
});

async function proxyTo(options: Partial<Parameters<typeof FaultProxy.start>[0]> = {}): Promise<FaultProxy> {
  const proxy = await FaultProxy.start({ target: { host: '127.0.0.1', port: (target.address() as AddressInfo).port }, ...options });
  open.push(proxy);
  return proxy;
}

interface Client {
  readonly socket: Socket;
  /** What has come back so far. */
  readonly text: () => string;
  /** How it ended: `end`, or the code of the error. */
  readonly ended: Promise<string>;
}

async function client(proxy: FaultProxy): Promise<Client> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  let text = '';
  const ended = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.once('end', () => resolve('end'));
  });
  socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
  await once(socket, 'connect');
  return { socket, text: () => text, ended };
}

describe('a connection through the proxy', () => {
  test('carries every byte both ways, and each side’s goodbye', async () => {
    const proxy = await proxyTo();
    const { socket, text, ended } = await client(proxy);
    const sent = randomBytes(300_000);
    socket.end(sent);
    expect(await ended).toBe('end');
    expect(text()).toBe(sent.toString('latin1'));
    await expect.poll(() => proxy.connections.length).toBe(0);
    expect(proxy.count).toBe(1);
  });

  test('reaches a socket that is a file', async () => {
    const path = join(tmpdir(), `fault-proxy-${randomBytes(6).toString('hex')}`);
    const local = createServer((socket) => socket.end('from the file'));
    local.listen(path);
    await once(local, 'listening');
    const { text, ended } = await client(await proxyTo({ target: { path } }));
    expect(await ended).toBe('end');
    expect(text()).toBe('from the file');
    local.close();
  });

  test.each<[string, Flows]>([
    ['held', HELD],
    ['held on the way there', { toTarget: 'hold' }],
    ['held on the way back', { toClient: 'hold' }],
    ['late', { toTarget: { delayMs: 3_600_000 } }],
    ['slow', { toClient: { bytesPerSecond: 0.001 } }],
  ])('that is %s brings nothing and breaks nothing; passing again it loses nothing', async (_name, flows) => {
    const proxy = await proxyTo();
    proxy.set(flows);
    const { socket, text } = await client(proxy);
    socket.write('ping');
    await delay(50);
    expect(text()).toBe('');
    proxy.set({});
    await expect.poll(text).toBe('ping');
  });

  test('that is slow brings a part before the whole', async () => {
    const proxy = await proxyTo();
    proxy.set({ toClient: { bytesPerSecond: 20 } });
    const { socket, text } = await client(proxy);
    socket.write('x'.repeat(100_000));
    await expect.poll(() => text().length).toBeGreaterThan(0);
    expect(text().length).toBeLessThan(100_000);
    proxy.set({});
    await expect.poll(() => text().length).toBe(100_000);
  });

  test('is cut on the way back: so many bytes, then a reset', async () => {
    const proxy = await proxyTo();
    proxy.setNew({ toClient: { cutAfterBytes: 5 } });
    const { socket, text, ended } = await client(proxy);
    socket.write('0123456789');
    expect(await ended).toBe('ECONNRESET');
    expect('01234').toContain(text());
    await expect.poll(() => atTarget.every((each) => each.destroyed || each.readableEnded)).toBe(true);
  });

  test('is cut on the way there after so many bytes', async () => {
    const proxy = await proxyTo();
    let arrived = '';
    target.on('connection', (socket) => socket.on('data', (piece) => (arrived += piece.toString())));
    proxy.set({ toTarget: { cutAfterBytes: 5 } });
    const { socket, ended } = await client(proxy);
    socket.write('0123456789');
    expect(await ended).toBe('ECONNRESET');
    expect('01234').toContain(arrived);
  });

  test('is reset when told, alone or with all others', async () => {
    const proxy = await proxyTo();
    const [one, two, three] = [await client(proxy), await client(proxy), await client(proxy)];
    await expect.poll(() => proxy.connections.length).toBe(3);
    proxy.connections[0]!.reset();
    expect(await one.ended).toBe('ECONNRESET');
    two.socket.write('still here');
    await expect.poll(two.text).toBe('still here');
    proxy.reset();
    expect(await Promise.all([two.ended, three.ended])).toEqual(['ECONNRESET', 'ECONNRESET']);
  });

  test('is judged on its own where the test says so', async () => {
    const proxy = await proxyTo({ onConnection: (_connection, number) => (number === 2 ? HELD : undefined) });
    const one = await client(proxy);
    one.socket.write('1');
    await expect.poll(one.text).toBe('1');
    const two = await client(proxy);
    two.socket.write('2');
    await expect.poll(() => proxy.connections.length).toBe(2);
    await delay(50);
    expect(two.text()).toBe('');
    expect(proxy.connections[1]!.bytesToTarget).toBe(0);
    expect(proxy.connections[0]!.bytesToTarget).toBe(1);
    proxy.connections[1]!.set({});
    await expect.poll(two.text).toBe('2');
  });

  test('stays dead where only new ones are healed', async () => {
    const proxy = await proxyTo();
    proxy.set(HELD);
    const old = await client(proxy);
    old.socket.write('old');
    await expect.poll(() => proxy.connections.length).toBe(1);
    proxy.setNew({});
    const young = await client(proxy);
    young.socket.write('young');
    await expect.poll(young.text).toBe('young');
    expect(old.text()).toBe('');
  });
});

test('a proxy that refuses refuses new connections only, and takes them again on the same port', async () => {
  const proxy = await proxyTo();
  const one = await client(proxy);
  await proxy.refuse();
  await expect(client(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  one.socket.write('still');
  await expect.poll(one.text).toBe('still');
  await proxy.accept();
  const two = await client(proxy);
  two.socket.write('again');
  await expect.poll(two.text).toBe('again');
});

test('a target that is not there resets the client', async () => {
  const { ended } = await client(await proxyTo({ target: { path: '/nonexistent/socket' } }));
  expect(await ended).toBe('ECONNRESET');
});
