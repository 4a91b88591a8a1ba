import { alternate, figure, medians } from '../alternate.ts';
import type { LoadResult } from '../machine/wrk.ts';
import type { Row } from '../row.ts';
import { meStack } from '../stack/me-stack.ts';

/** Callers at whom the server is at its peak, and four times as many as may run at once. */
const PEAK = 64;
const OVERLOAD = 512;

export const overload: Row = {
  id: 'overload',
  what: `GET /v1/accounts/me by bearer, ${OVERLOAD} callers: answers with 200 per second`,
  yardstick: `the same at ${PEAK} callers`,
  unit: 'ratio',
  reach: { atLeast: 0.8 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    await using peak = await meStack(lab, 'overload', PEAK);
    const many = await lab.wrk.prepare({ url: peak.url, requests: peak.requests, callers: OVERLOAD, seconds: lab.seconds });
    const shed: number[] = [];
    let turnedAway = 0;
    let odd = 0;
    const measured = await alternate({
      rounds: lab.rounds,
      ours: async () => {
        const sampling = new AbortController();
        const sampled = sampleShed(`${peak.url}${peak.requests[0]!.path}`, peak.requests[0]!.headers, sampling.signal);
        const result = await many();
        sampling.abort();
        const seen = await sampled;
        shed.push(...seen.shedMs);
        odd += seen.odd;
        turnedAway += result.failures;
        return goodput(result);
      },
      yardstick: async () => goodput(await peak.ours()),
      compare: (mine, yardstick) => mine / yardstick,
    });
    shed.sort((left, right) => left - right);
    const at = (share: number): string => (shed.length === 0 ? 'none' : `${figure(shed[Math.floor((shed.length - 1) * share)]!)} ms`);
    const note = `${medians(measured.samples, 'good answers/s')}; ${turnedAway} turned away; of ${shed.length} of them, asked for from beside, p50 ${at(0.5)}, p99 ${at(0.99)} until the 503 was there.`;
    return { ...measured, note, sound: odd === 0 };
  },
};

function goodput({ requests, failures, perSecond }: LoadResult): number {
  return perSecond * ((requests - failures) / requests);
}

/** One more caller, who looks how long a 503 takes, and whether anything else than 200 and 503 comes. */
async function sampleShed(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly shedMs: readonly number[]; readonly odd: number }> {
  const shedMs: number[] = [];
  let odd = 0;
  while (!signal.aborted) {
    const since = performance.now();
    const { status } = await fetch(url, { headers }).then(async (answer) => {
      await answer.arrayBuffer();
      return answer;
    });
    if (status === 503) shedMs.push(performance.now() - since);
    else if (status !== 200) odd++;
  }
  return { shedMs, odd };
}
