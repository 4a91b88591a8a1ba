import { alternate, medians } from '../alternate.ts';
import type { Row } from '../row.ts';
import { proxyStack } from '../stack/proxy-stack.ts';

export const proxy32: Row = {
  id: 'proxy-32',
  what: 'pass-through GET of 1 KB by bearer (token, scope, vault, egress), 32 callers: requests per second',
  yardstick: 'nginx proxy_pass to the same upstream',
  unit: 'ratio',
  reach: { atLeast: 0.4 },
  needs: ['nginx', 'wrk', 'taskset'],
  async measure(lab) {
    await using stack = await proxyStack(lab, 'proxy_32', 32);
    let failures = 0;
    const measured = await alternate({
      rounds: lab.rounds,
      ours: async () => {
        const result = await stack.ours();
        failures += result.failures;
        return result.perSecond;
      },
      yardstick: async () => (await stack.nginx()).perSecond,
      compare: (ours, yardstick) => ours / yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 'req/s')}, ${failures} failed.`, sound: failures === 0 };
  },
};
