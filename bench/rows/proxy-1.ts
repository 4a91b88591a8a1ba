import { alternate, figure, median, medians } from '../alternate.ts';
import type { Row } from '../row.ts';
import { proxyStack } from '../stack/proxy-stack.ts';

export const proxy1: Row = {
  id: 'proxy-1',
  what: 'pass-through GET of 1 KB by bearer, 1 caller: median latency added to the upstream',
  yardstick: 'the upstream asked directly',
  unit: 'ms',
  reach: { atMost: 0.2 },
  needs: ['nginx', 'wrk', 'taskset'],
  async measure(lab) {
    await using stack = await proxyStack(lab, 'proxy_1', 1);
    const nginx: number[] = [];
    const measured = await alternate({
      rounds: lab.rounds,
      ours: async () => (await stack.ours()).p50Ms,
      yardstick: async () => {
        nginx.push((await stack.nginx()).p50Ms);
        return (await stack.direct()).p50Ms;
      },
      compare: (ours, yardstick) => ours - yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 'ms p50')}; through nginx ${figure(median(nginx))} ms.` };
  },
};
