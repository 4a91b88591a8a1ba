import { figure, median, spreadOf } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import { Child } from '../machine/child.ts';
import { Throughput } from '../machine/throughput.ts';
import { warmUp } from '../machine/wrk.ts';
import type { Measured, Row } from '../row.ts';

const TENANTS = 20;
const CALLERS = 32;

async function calls(lab: Lab, name: string): Promise<Measured> {
  await using runner = await Child.program('all', 'function-runner');
  const { url, level } = runner.ready as { url: string; level: string };
  const requests = Array.from({ length: TENANTS }, (_, tenant) => ({ method: 'POST', path: `/t${tenant}/${name}` }));
  const run = await lab.wrk.prepare({ url, requests, callers: CALLERS, seconds: lab.seconds });
  await warmUp(run, 10_000);
  const ours = new Throughput(run, runner);
  const values: number[] = [];
  for (let round = 0; round < lab.rounds; round += 1) values.push(await ours.perSecond());
  const note = `${figure(ours.cpuPerRequest)} µs of the supervisor's processor time each, ${ours.failures} failed; both cores for all, wrk included; a front of node:http, no database; isolation: ${level}.`;
  return {
    value: median(values),
    samples: values.map((value) => ({ ours: value, yardstick: null })),
    spread: spreadOf(values),
    note,
    sound: ours.failures === 0 && level === 'jail',
  };
}

export const functionHello: Row = {
  id: 'function-hello',
  what: `warm calls per second, ${TENANTS} installations, ${CALLERS} callers`,
  yardstick: '–',
  unit: 'calls',
  reach: { atLeast: 3_000 },
  needs: ['wrk', 'taskset'],
  measure: (lab) => calls(lab, 'hello'),
};

export const functionKept: Row = {
  id: 'function-kept',
  what: `the same with one call of storage each, which answers out of memory`,
  yardstick: '–',
  unit: 'calls',
  reach: { atLeast: 1_800 },
  needs: ['wrk', 'taskset'],
  measure: (lab) => calls(lab, 'kept'),
};
