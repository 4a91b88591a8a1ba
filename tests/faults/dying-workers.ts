import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from './fault-world.ts';
import type { ServerProcess } from './server-process.ts';

/**
 * Workers of which one dies by kill -9 every so often, where another is up too, and another is started in its place, until told to stop.
 * It is the youngest in turn with the oldest: one that has hardly begun, one in full swing.
 */
export function dyingWorkers(world: FaultWorld, { count, everyMs }: { count: number; everyMs: number }): { stop: () => Promise<number> } {
  const up = new Set<ServerProcess>();
  let isOn = true;
  let died = 0;
  const places = Array.from({ length: count }, async (_, place) => {
    for (let life = 1; isOn; life++) {
      // One that comes up while PostgreSQL is away ends by itself.
      const worker = await world.server(`worker ${place}.${life}`, { BULKHEAD_ROLES: 'worker' }).catch(() => null);
      if (worker === null) {
        await delay(1_000);
        continue;
      }
      up.add(worker);
      await worker.ended;
      up.delete(worker);
    }
  });
  const killing = (async () => {
    while (isOn) {
      await delay(everyMs);
      if (up.size < 2) continue;
      const victim = [...up].at(died % 2 === 0 ? 0 : -1)!;
      died++;
      await victim.end('SIGKILL');
    }
    for (const worker of up) await worker.end('SIGKILL');
  })();
  return {
    /** Ends all of them; answers how many have died while it was on. */
    stop: async () => {
      isOn = false;
      await killing;
      await Promise.race([Promise.all(places), delay(10_000)]);
      for (const worker of up) await worker.end('SIGKILL');
      return died;
    },
  };
}
