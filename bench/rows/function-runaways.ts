import { figure, median, spreadOf } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import { Asked } from '../machine/asked.ts';
import { Child } from '../machine/child.ts';
import type { Measured, Row } from '../row.ts';
import type { BesideRunaways } from '../servers/function-attacks.ts';

const BUDGET_MS = 1_000;
const OVER_MS = 300;
const NEXT_MS = 150;

async function runaways(lab: Lab, count: number): Promise<Measured> {
  await using runner = new Asked<BesideRunaways>(await Child.program('all', 'function-runner'));
  const { level } = runner.child.ready as { level: string };
  await runner.go(`runaways ${count} 1`);
  const seen: BesideRunaways[] = [];
  for (let round = 0; round < lab.rounds; round += 1) seen.push(await runner.go(`runaways ${count} ${lab.seconds}`));
  const all = <Key extends keyof BesideRunaways>(key: Key) => seen.map((one) => one[key]);
  const beside = all('besideP99Ms');
  const cpu = median(all('killedAtCpuMs').flat());
  const next = median(all('nextCallMs').flat());
  const errors = all('errors').reduce((sum, one) => sum + one, 0);
  const sound = errors === 0 && cpu <= BUDGET_MS + OVER_MS && next <= NEXT_MS && level === 'jail';
  const note = `alone ${figure(median(all('aloneP99Ms')))} ms; ${errors} errors of ${all('calls').reduce((sum, one) => sum + one, 0)} calls; killed at ${figure(cpu)} ms of processor time (budget ${BUDGET_MS}), ${figure(median(all('killedAfterMs').flat()))} ms after the call; its next call ${figure(next)} ms; isolation: ${level}.`;
  return {
    value: median(beside),
    samples: seen.map(({ besideP99Ms, aloneP99Ms }) => ({ ours: besideP99Ms, yardstick: aloneP99Ms })),
    spread: spreadOf(beside),
    note,
    sound,
  };
}

const row = (count: number, id: string): Row => ({
  id,
  what: `p99 of 20 neighbours that call 130 times a second, beside ${count} endless loop${count === 1 ? '' : 's'}`,
  yardstick: 'the same neighbours alone',
  unit: 'ms',
  reach: { atMost: 25 },
  needs: ['taskset'],
  measure: (lab) => runaways(lab, count),
});

export const functionRunaway = row(1, 'function-runaway-1');
export const functionRunaways = row(6, 'function-runaway-6');

export const functionBomb: Row = {
  id: 'function-bomb',
  what: 'most that a process holds which fills its heap, or buffers, without end',
  yardstick: '–',
  unit: 'MB',
  reach: { atMost: 450 },
  needs: ['taskset'],
  async measure(lab) {
    await using runner = new Asked<{ peakMb: number; errors: number; ends: string[] }>(await Child.program('all', 'function-runner'));
    const { level } = runner.child.ready as { level: string };
    const seen = [];
    for (let round = 0; round < lab.rounds; round += 1) seen.push(await runner.go('bomb'));
    const peaks = seen.map(({ peakMb }) => peakMb);
    const errors = seen.reduce((sum, one) => sum + one.errors, 0);
    const samples = peaks.map((ours) => ({ ours, yardstick: null }));
    const note = `MiB resident; ended as ${seen[0]!.ends.join(' and ')}; ${errors} errors of a neighbour; isolation: ${level}.`;
    return { value: Math.max(...peaks), samples, spread: spreadOf(peaks), note, sound: errors === 0 && level === 'jail' };
  },
};
