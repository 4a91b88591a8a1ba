import { createServer as createTcpServer } from 'node:net';
import { applicationId } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import { counted, egressWith, listen, turn, upstream } from './egress.harness.ts';

const get = { policy: 'upstream', tenant: null } as const;

describe('pools', () => {
  it('tenants never share a connection', async () => {
    const { port, connections } = await counted();
    const egress = egressWith();
    const url = `http://127.0.0.1:${port}/`;
    const [one, two] = [applicationId.generate(), applicationId.generate()];
    for (const tenant of [one, one, two, null, two, one]) {
      await egress.fetch(url, { ...get, tenant });
      await turn();
    }
    expect(connections()).toBe(3);
  });

  it('hold no more connections than they may', async () => {
    let most = 0;
    let now = 0;
    const port = await upstream((_, response) => {
      most = Math.max(most, (now += 1));
      setImmediate(() => ((now -= 1), response.end()));
    });
    const egress = egressWith({ connectionsPerPoolMax: 3 });
    await Promise.all(Array.from({ length: 12 }, () => egress.fetch(`http://127.0.0.1:${port}/`, get)));
    expect(most).toBeLessThanOrEqual(3);
  });

  it('are closed least recently used first, after what is under way has ended', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = await upstream((_, response) => void gate.promise.then(() => response.end('late')));
    const [a, b] = [await counted(), await counted()];
    const egress = egressWith({ poolsMax: 1 });
    const waiting = egress.fetch(`http://127.0.0.1:${slow}/`, get);
    await egress.fetch(`http://127.0.0.1:${a.port}/`, get);
    await egress.fetch(`http://127.0.0.1:${b.port}/`, get);
    await turn();
    await egress.fetch(`http://127.0.0.1:${b.port}/`, get);
    await egress.fetch(`http://127.0.0.1:${a.port}/`, get);
    gate.resolve();
    expect(String((await waiting).body)).toBe('late');
    expect([a.connections(), b.connections()]).toEqual([2, 1]);
  });

  it('close at once with the egress, breaking what is under way', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('error', () => undefined)));
    const egress = egressWith();
    const call = egress.fetch(`http://127.0.0.1:${port}/`, get);
    await egress.close();
    await expect(call).rejects.toMatchObject({ code: 'egress.unreachable' });
  });
});
