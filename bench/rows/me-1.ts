import { alternate, medians } from '../alternate.ts';
import type { Row } from '../row.ts';
import { meStack } from '../stack/me-stack.ts';

export const me1: Row = {
  id: 'me-1',
  what: 'GET /v1/accounts/me by bearer, 1 caller: median latency',
  yardstick: 'bare node:http answering the same bytes',
  unit: 'ratio',
  reach: { atMost: 1.3 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    await using stack = await meStack(lab, 'me_1', 1);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: async () => (await stack.ours()).p50Ms,
      yardstick: async () => (await stack.yardstick()).p50Ms,
      compare: (ours, yardstick) => ours / yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 'ms p50')}.` };
  },
};
