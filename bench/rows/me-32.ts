import { alternate, medians } from '../alternate.ts';
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
    let failures = 0;
    const measured = await alternate({
      rounds: lab.rounds,
      ours: async () => {
        const result = await stack.ours();
        failures += result.failures;
        return result.perSecond;
      },
      yardstick: async () => (await stack.yardstick()).perSecond,
      compare: (ours, yardstick) => ours / yardstick,
    });
    const note = `${medians(measured.samples, 'req/s')}; ${stack.tokens} tokens of 20 Applications in turn, ${stack.bytes} bytes, ${failures} failed.`;
    return { ...measured, note, sound: failures === 0 };
  },
};
