import { alternate, median, medians } from '../alternate.ts';
import type { Row } from '../row.ts';
import { cloneStack } from '../stack/clone-stack.ts';

const CLONES_OF_A_ROUND = 30;

async function repeated(act: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let at = 0; at < CLONES_OF_A_ROUND; at += 1) values.push(await act());
  return median(values);
}

export const clone: Row = {
  id: 'clone',
  what: 'clone of an Application with 50 OAuth keys and 20 webhooks by the Meta API, one after the other: median time',
  yardstick: 'the same rows by one SQL function',
  unit: 'ratio',
  reach: { atMost: 3 },
  needs: ['taskset'],
  async measure(lab) {
    await using stack = await cloneStack(lab, 'clone');
    await repeated(stack.clone);
    await repeated(stack.copyRows);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => repeated(stack.clone),
      yardstick: () => repeated(stack.copyRows),
      compare: (ours, yardstick) => ours / yardstick,
    });
    return {
      ...measured,
      note: `${medians(measured.samples, 'ms')}; 50 services of its own and 5 redirect URIs are copied too, durable commits.`,
    };
  },
};
