import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { alternate, figure, medians, percentile } from '../alternate.ts';
import { type LoadResult, warmUp } from '../machine/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Measured, Row } from '../row.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { meStack } from '../stack/me-stack.ts';
import { createTenants, exchangeRequests } from '../stack/tenants.ts';

/** Callers at whom the server is at its peak; and so many that ask again at once, whatever they are answered. */
const PEAK = 64;
const MANY_READERS = 2_048;
const MANY_EXCHANGERS = 1_024;
const SHED_MS_MAX = 50;
const SAMPLERS = 16;
const SAMPLE_EVERY_MS = 20;
/** By the class, or by the tenant's own share of it (decisions 0022, 0031). */
const TURNED_AWAY: readonly number[] = [503, 429];

export const overload: Row = {
  id: 'overload',
  what: `GET /v1/accounts/me by bearer, ${MANY_READERS} callers who never wait: answers with 200 per second`,
  yardstick: `the same at ${PEAK} callers`,
  unit: 'ratio',
  reach: { atLeast: 0.8 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    await using stack = await meStack(lab, 'overload', PEAK);
    return await measureOverload(lab, stack, MANY_READERS);
  },
};

export const overloadWrites: Row = {
  ...overload,
  id: 'overload-writes',
  what: `token exchange, ${MANY_EXCHANGERS} callers who never wait: answers with 200 per second`,
  async measure(lab) {
    await using urls = await (await lab.cluster()).database('overload_writes');
    await using server = await startBulkhead(urls);
    const tenants = await createTenants(server, { applications: 20, tokens: 1, upstreamUrl: 'https://files.example' });
    const requests = exchangeRequests(tenants);
    const ours = await lab.wrk.prepare({ url: server.url, callers: PEAK, seconds: lab.seconds, requests });
    await warmUp(ours, 5_000);
    return await measureOverload(lab, { url: server.url, requests, ours }, MANY_EXCHANGERS);
  },
};

interface Overloaded {
  readonly url: string;
  readonly requests: readonly AnyRequest[];
  /** At its peak. */
  readonly ours: () => Promise<LoadResult>;
}

interface AnyRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function measureOverload(lab: Lab, { url, requests, ours }: Overloaded, callers: number): Promise<Measured> {
  const many = await lab.wrk.prepare({ url, requests, callers, seconds: lab.seconds });
  const shedMs: number[] = [];
  const statuses = new Set<number>();
  let turnedAway = 0;
  const measured = await alternate({
    rounds: lab.rounds,
    ours: async () => {
      const sampling = new AbortController();
      const sampled = Promise.all(
        Array.from({ length: SAMPLERS }, (_, at) =>
          sampleShed(url, requests.slice(at % requests.length), sampling.signal, { shedMs, statuses }),
        ),
      );
      const result = await many();
      sampling.abort();
      await sampled;
      turnedAway += result.failures;
      return goodput(result);
    },
    yardstick: async () => goodput(await ours()),
    compare: (mine, yardstick) => mine / yardstick,
  });
  const p99 = percentile(shedMs, 0.99);
  const times =
    shedMs.length === 0
      ? 'none of those asked for from beside'
      : `of ${shedMs.length} asked for from beside, p50 ${figure(percentile(shedMs, 0.5))} ms, p99 ${figure(p99)} ms until it was there (needed: ${SHED_MS_MAX})`;
  const odd = [...statuses].filter((status) => status !== 200 && !TURNED_AWAY.includes(status));
  const note = `${medians(measured.samples, 'good answers/s')}; ${turnedAway} turned away; ${times}${odd.length === 0 ? '' : `; ODD ANSWERS: ${odd.join(', ')}`}.`;
  return { ...measured, note, sound: odd.length === 0 && (shedMs.length === 0 || p99 <= SHED_MS_MAX) };
}

function goodput({ requests, failures, perSecond }: LoadResult): number {
  return perSecond * ((requests - failures) / requests);
}

/** One more caller, each time on a connection of its own, who looks how long a refusal takes and what else there is. */
async function sampleShed(
  url: string,
  requests: readonly AnyRequest[],
  signal: AbortSignal,
  seen: { readonly shedMs: number[]; readonly statuses: Set<number> },
): Promise<void> {
  for (let at = 0; !signal.aborted; at += 1) {
    const { method = 'GET', path, headers, body } = requests[at % requests.length]!;
    const since = performance.now();
    const status = await new Promise<number>((resolve, reject) => {
      const call = request(`${url}${path}`, { method, headers, agent: false }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      });
      call.once('error', reject).end(body);
    });
    if (TURNED_AWAY.includes(status)) seen.shedMs.push(performance.now() - since);
    seen.statuses.add(status);
    await delay(SAMPLE_EVERY_MS);
  }
}
