import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { spreadOf } from '../alternate.ts';
import { Child } from '../machine/child.ts';
import { isRunning } from '../machine/process.ts';
import type { Row } from '../row.ts';

export const functionOrphans: Row = {
  id: 'function-orphans',
  what: 'instances of 20 that are left a second after their supervisor was killed',
  yardstick: '–',
  unit: 'processes',
  reach: { atMost: 0 },
  needs: ['taskset'],
  async measure(lab) {
    const left: number[] = [];
    let started = 0;
    for (let round = 0; round < lab.rounds; round += 1) {
      await using child = await Child.program('all', 'function-orphans');
      const { pids } = child.ready as { pids: number[] };
      started += pids.filter(isRunning).length;
      const exit = once(child.process, 'exit');
      child.process.kill('SIGKILL');
      await exit;
      await sleep(1_000);
      left.push(pids.filter(isRunning).length);
    }
    const samples = left.map((ours) => ({ ours, yardstick: null }));
    const sound = started === lab.rounds * 20;
    return { value: Math.max(...left), samples, spread: spreadOf(left), note: `${started} were running.`, sound };
  },
};
