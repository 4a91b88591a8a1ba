import { alternate, figure, medians } from '../alternate.ts';
import { Throughput } from '../machine/throughput.ts';
import type { Row } from '../row.ts';
import { meStack } from '../stack/me-stack.ts';

export const me32: Row = {
  id: 'me-32',
  what: 'GET /v1/accounts/me by bearer, 32 callers: requests per second',
  yardstick: 'bare node:http answering the same bytes',
  unit: 'ratio',
  reach: { atLeast: 0.6 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    await using stack = await meStack(lab, 'me_32', 32);
    const ours = new Throughput(stack.ours, stack.server);
    const bare = new Throughput(stack.yardstick, stack.bare);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => ours.perSecond(),
      yardstick: () => bare.perSecond(),
      compare: (mine, yardstick) => mine / yardstick,
    });
    const cpu = `${figure(ours.cpuPerRequest)} against ${figure(bare.cpuPerRequest)} µs of processor time each`;
    const note = `${medians(measured.samples, 'req/s')}, ${cpu}; ${stack.tokens} tokens of 20 Applications in turn, ${stack.bytes} bytes, ${ours.failures} failed.`;
    return { ...measured, note, sound: ours.failures === 0 };
  },
};
