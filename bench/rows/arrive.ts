import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { figure, median, percentile, spreadOf } from '../alternate.ts';
import type { Row } from '../row.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { createWebhooks, EventWriter } from '../stack/webhooks.ts';

const EVENTS = 100;
const P99_MS_MAX = 100;
/** Between two: the worker is idle again. */
const REST_MS = 20;
const WARM_UP = 50;

export const arrive: Row = {
  id: 'arrive',
  what: `from the commit of an event to its arrival at the receiver of a webhook, nothing else going on: p50 (and p99 ≤ ${P99_MS_MAX} ms)`,
  yardstick: 'none: ten milliseconds',
  unit: 'ms',
  reach: { atMost: 10 },
  needs: ['taskset'],
  async measure(lab) {
    let arrived: (atMs: number) => void = () => undefined;
    const receiver = createServer((request, response) => {
      arrived(performance.timeOrigin + performance.now());
      request.resume().once('end', () => response.writeHead(204).end());
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    try {
      await using urls = await (await lab.cluster()).database('arrive');
      await using server = await startBulkhead(urls, { egressAllow: ['127.0.0.0/8'] });
      const { port } = receiver.address() as AddressInfo;
      const applications = await createWebhooks(server, 1, [`http://127.0.0.1:${port}/`]);
      await using writer = await EventWriter.open(urls);
      const one = async (): Promise<number> => {
        const arrival = new Promise<number>((resolve) => (arrived = resolve));
        const began = await writer.write(applications, 1);
        const ms = (await arrival) - began;
        await delay(REST_MS);
        return ms;
      };
      for (let event = 0; event < WARM_UP; event += 1) await one();
      const rounds: number[][] = [];
      for (let round = 0; round < lab.rounds; round += 1) {
        const times: number[] = [];
        for (let event = 0; event < EVENTS; event += 1) times.push(await one());
        rounds.push(times);
      }
      const all = rounds.flat();
      const p50s = rounds.map((times) => median(times));
      const p99 = percentile(all, 0.99);
      return {
        value: median(p50s),
        samples: p50s.map((ours) => ({ ours, yardstick: null })),
        spread: spreadOf(p50s),
        sound: p99 <= P99_MS_MAX,
        note: `${all.length} events one after the other, the durable commit counted: p50 ${figure(median(all))} ms, p99 ${figure(p99)} ms, longest ${figure(Math.max(...all))} ms.`,
      };
    } finally {
      receiver.closeAllConnections();
      receiver.close();
    }
  },
};
