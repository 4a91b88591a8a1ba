import { Agent } from 'undici';
import { percentile } from '../alternate.ts';
import { givenOptions, serving } from './serving.ts';

export interface TenantLoadOptions {
  readonly url: string;
  readonly path: string;
  readonly bearers: readonly string[];
  /** Over all bearers; sent at this rate whatever becomes of them. */
  readonly perSecond: number;
  readonly seconds: number;
}

/** The answer to `go`. */
export interface TenantLoadResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How many answers had which status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of those with 429, how many said when to come back. */
  readonly told: number;
}

const CONNECTIONS = 128;

// What callers do who do not wait for each other: requests at a steady rate, spread over the milliseconds.
const { url, path, bearers, perSecond, seconds } = givenOptions<TenantLoadOptions>();
const agent = new Agent({ connections: CONNECTIONS });

async function measure(): Promise<TenantLoadResult> {
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  let told = 0;
  const ask = async (bearer: string): Promise<void> => {
    const since = performance.now();
    const answer = await agent.request({ origin: url, path, method: 'GET', headers: { authorization: `Bearer ${bearer}` } });
    await answer.body.dump();
    times.push(performance.now() - since);
    statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
    if (answer.statusCode === 429 && answer.headers['retry-after'] !== undefined) told += 1;
  };
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let due = 0; due < perSecond * seconds; ) {
    due = Math.min(perSecond * seconds, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond));
    while (asked.length < due) asked.push(ask(bearers[asked.length % bearers.length]!));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(asked);
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), statuses, told };
}

serving({}, () => agent.close());
process.stdin.on('data', () => {
  void measure().then((result) => process.stdout.write(`result ${JSON.stringify(result)}\n`));
});
