import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { silentLog } from '@bulkhead/base';
import { configFrom, readEnvironment } from '@bulkhead/platform';
import { closeInReverse } from '@bulkhead/server';
import { expect, it } from 'vitest';
import { startServicesOfDemo } from './start-demo.ts';

it('a service of the demo whose port is taken goes to a free one, and says so', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const closing: (() => Promise<void>)[] = [];
  try {
    const config = configFrom(readEnvironment({ BULKHEAD_PORT: String(port - 3) }), '/srv');
    const { upstream } = await startServicesOfDemo(config, silentLog, closing);
    expect(new URL(upstream.notesBaseUrl).port).not.toBe(String(port));
    expect((await fetch(`${upstream.notesBaseUrl}/me`)).status).toBe(401);
  } finally {
    await closeInReverse(closing);
    taken.close();
    await once(taken, 'close');
  }
});
