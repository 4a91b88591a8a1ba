import { alternate, figure, medians } from '../alternate.ts';
import { Throughput } from '../machine/throughput.ts';
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
    const ours = new Throughput(stack.ours, stack.server);
    const nginx = new Throughput(stack.nginx);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => ours.perSecond(),
      yardstick: () => nginx.perSecond(),
      compare: (mine, yardstick) => mine / yardstick,
    });
    const cpu = `${figure(ours.cpuPerRequest)} µs of processor time each`;
    return {
      ...measured,
      note: `${medians(measured.samples, 'req/s')}, ours ${cpu}; ${ours.failures} failed.`,
      sound: ours.failures === 0,
    };
  },
};
