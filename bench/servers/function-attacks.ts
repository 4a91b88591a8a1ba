import { setTimeout as sleep } from 'node:timers/promises';
import type { InvocationResult, Supervisor } from '@bulkhead/sandbox';
import { percentile } from '../alternate.ts';
import { cpuMsOf, residentMb } from '../machine/process.ts';

type Invoke = (tenant: string, name: string) => Promise<InvocationResult>;

export interface BesideRunaways {
  readonly aloneP99Ms: number;
  readonly besideP99Ms: number;
  readonly calls: number;
  /** Calls of neighbours that had no value. */
  readonly errors: number;
  /** Of each runaway: processor time when it was killed, the time that took, and its installation's next call. */
  readonly killedAtCpuMs: readonly number[];
  readonly killedAfterMs: readonly number[];
  readonly nextCallMs: readonly number[];
}

const NEIGHBOURS = 20;
const PER_SECOND = 130;
const SAMPLE_MS = 10;

/** Twenty neighbours that call at a steady rate, alone and then beside so many endless loops. */
export async function besideRunaways(
  supervisor: Supervisor,
  invoke: Invoke,
  { runaways, seconds }: { runaways: number; seconds: number },
): Promise<BesideRunaways> {
  const neighbours = Array.from({ length: NEIGHBOURS }, (_, index) => `neighbour-${index}`);
  const wild = Array.from({ length: runaways }, (_, index) => `wild-${index}`);
  for (const tenant of [...neighbours, ...wild]) await invoke(tenant, 'hello');
  let errors = 0;
  const load = async (until: Promise<unknown>): Promise<number[]> => {
    const times: number[] = [];
    const asked: Promise<void>[] = [];
    const since = performance.now();
    let isOver = false;
    void until.then(() => (isOver = true));
    while (!isOver) {
      while (asked.length < ((performance.now() - since) / 1_000) * PER_SECOND) {
        const began = performance.now();
        asked.push(
          invoke(neighbours[asked.length % NEIGHBOURS]!, 'hello').then(({ outcome }) => {
            times.push(performance.now() - began);
            if (outcome.kind !== 'ok') errors += 1;
          }),
        );
      }
      await sleep(2);
    }
    await Promise.all(asked);
    return times;
  };
  const alone = await load(sleep(seconds * 1_000));
  const killedAtCpuMs: number[] = [];
  const killedAfterMs: number[] = [];
  const nextCallMs: number[] = [];
  const attacks = wild.map(async (tenant) => {
    const pid = supervisor.instances.find(({ identity, state }) => identity.clientKey === tenant && state === 'warm')?.pid ?? 0;
    const before = cpuMsOf(pid) ?? 0;
    let used = 0;
    const sampling = setInterval(() => (used = Math.max(used, (cpuMsOf(pid) ?? 0) - before)), SAMPLE_MS);
    const began = performance.now();
    const { outcome } = await invoke(tenant, 'spin');
    killedAfterMs.push(performance.now() - began);
    clearInterval(sampling);
    killedAtCpuMs.push(used);
    if (outcome.kind !== 'timeout') throw new Error(JSON.stringify(outcome));
    const again = performance.now();
    const next = await invoke(tenant, 'hello');
    if (next.outcome.kind === 'ok') nextCallMs.push(performance.now() - again);
  });
  const beside = await load(Promise.all([sleep(seconds * 1_000), ...attacks]));
  return {
    aloneP99Ms: percentile(alone, 0.99),
    besideP99Ms: percentile(beside, 0.99),
    calls: beside.length,
    errors,
    killedAtCpuMs,
    killedAfterMs,
    nextCallMs,
  };
}

/** The most that a process held which fills its heap, then buffers, MiB; and whether a neighbour was answered all the while. */
export async function bomb(supervisor: Supervisor, invoke: Invoke): Promise<{ peakMb: number; errors: number; ends: string[] }> {
  let peakMb = 0;
  let errors = 0;
  const ends: string[] = [];
  for (const name of ['heap', 'buffers']) {
    await invoke('bomber', 'hello');
    const pid = supervisor.instances.find(({ identity, state }) => identity.clientKey === 'bomber' && state === 'warm')?.pid ?? 0;
    let isOver = false;
    const attack = invoke('bomber', name).finally(() => (isOver = true));
    while (!isOver) {
      peakMb = Math.max(peakMb, residentMb(pid) ?? 0);
      if ((await invoke('neighbour-0', 'hello')).outcome.kind !== 'ok') errors += 1;
      await sleep(2);
    }
    ends.push((await attack).outcome.kind);
  }
  return { peakMb, errors, ends };
}
