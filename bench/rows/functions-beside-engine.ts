import { alternate, figure, median, medians, percentile } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import { Asked } from '../machine/asked.ts';
import { Child } from '../machine/child.ts';
import type { Measured, Row } from '../row.ts';

/** In one round. */
const COLD = 20;
const WARM = 2_000;
const IDLE = 20;

const yardstick = 'workerd alone, without jail, limits and supervisor';

async function beside(
  lab: Lab,
  what: string,
  count: number,
  unit: string,
  note: (ours: readonly number[], bare: readonly number[]) => string,
): Promise<Measured> {
  await using ours = new Asked<number[]>(await Child.program('all', 'function-runner'));
  await using bare = new Asked<number[]>(await Child.program('all', 'bare-engine'));
  const { level, bytes } = ours.child.ready as { level: string; bytes: number };
  const seen = { ours: [] as number[], bare: [] as number[] };
  const run = async (asked: Asked<number[]>, into: number[]): Promise<number> => {
    const values = await asked.go(`${what} ${count}`);
    into.push(...values);
    return median(values);
  };
  await run(ours, []);
  await run(bare, []);
  const measured = await alternate({
    rounds: lab.rounds,
    ours: () => run(ours, seen.ours),
    yardstick: () => run(bare, seen.bare),
    compare: (mine, theirs) => mine / theirs,
  });
  const text = `${medians(measured.samples, unit)}; ${note(seen.ours, seen.bare)}; ${bytes} bytes of code, isolation: ${level}.`;
  return { ...measured, note: text, sound: level === 'jail' };
}

const p99 = (ours: readonly number[], bare: readonly number[]): string =>
  `p99 ${figure(percentile(ours, 0.99))} against ${figure(percentile(bare, 0.99))} ms of ${ours.length} each`;

export const functionCold: Row = {
  id: 'function-cold',
  what: 'first call of a new installation, from the request to its answer',
  yardstick,
  unit: 'ratio',
  reach: { atMost: 2 },
  needs: ['taskset'],
  measure: (lab) => beside(lab, 'cold', COLD, 'ms', p99),
};

export const functionWarm: Row = {
  id: 'function-warm',
  what: 'a call of an instance that runs, one caller, p50',
  yardstick,
  unit: 'ratio',
  reach: { atMost: 2 },
  needs: ['taskset'],
  measure: (lab) => beside(lab, 'warm', WARM, 'ms', p99),
};

export const functionMemory: Row = {
  id: 'function-memory',
  what: `memory (PSS) of an idle installation, ${IDLE} at once`,
  yardstick,
  unit: 'ratio',
  reach: { atMost: 2 },
  needs: ['taskset'],
  measure: (lab) => beside(lab, 'memory', IDLE, 'MiB', (ours) => `at most ${figure(Math.max(...ours))} MiB`),
};
