import { setTimeout as sleep } from 'node:timers/promises';
import { type InvocationResult, openSupervisor, type Supervisor } from '@bulkhead/sandbox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAMS } from './programs.ts';

const EVERY_MS = 50;
const QUIET_MS = 3_000;
const LIMITS = { cpuMs: 500, wallMs: 3_000, startMs: 3_000 };
/** Within which a call has to end, its wait for a place and a start included. On a machine where others work too. */
const CALL_MS_MAX = 10_000;

let supervisor: Supervisor;
let stopped = false;
let neighbour: Promise<void>;
const times: { readonly at: number; readonly ms: number }[] = [];
const failures: InvocationResult[] = [];
const report: string[] = [];
let attackBegan = 0;

function call(tenant: string, code: string, name: string): Promise<InvocationResult> {
  return supervisor.invoke({
    identity: { applicationId: 'app', clientKey: tenant, environment: 'production' },
    version: '1',
    loadCode: async () => code,
    functionName: name,
    payload: 'null',
    context: '{}',
    token: `token of ${tenant}`,
    limits: LIMITS,
  });
}

/** Twenty calls a second, whatever the others do. `polluted`: of a prototype that somebody else has changed. */
async function callOn(): Promise<void> {
  const code = `export const run = () => ({ polluted: ({}).polluted ?? null, map: [1].map(String) });`;
  while (!stopped) {
    const began = performance.now();
    const result = await call('neighbour', code, 'run');
    times.push({ at: began, ms: performance.now() - began });
    if (result.outcome.kind !== 'ok' || result.outcome.value !== '{"polluted":null,"map":["1"]}') failures.push(result);
    await sleep(Math.max(0, EVERY_MS - (performance.now() - began)));
  }
}

function percentile(part: number, of: readonly { readonly ms: number }[]): number {
  return of.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * part))] ?? 0;
}

beforeAll(async () => {
  const opened = await openSupervisor({
    doors: async ({ url }) => ({ status: 200, headers: [], body: Buffer.from(`asked for ${url}`) }),
    // Each program is an installation of its own, and is to be looked at until the end.
    killsMax: 1_000,
  });
  if (opened === null) throw new Error('workerd has no program for this machine');
  supervisor = opened;
  neighbour = callOn();
  await sleep(QUIET_MS);
  attackBegan = performance.now();
});
afterAll(async () => {
  stopped = true;
  await neighbour;
  await supervisor.close();
  const quiet = times.filter(({ at }) => at < attackBegan);
  const during = times.filter(({ at }) => at >= attackBegan);
  const figures = (of: typeof times) =>
    `p50 ${percentile(0.5, of).toFixed(1)} p99 ${percentile(0.99, of).toFixed(1)} max ${percentile(1, of).toFixed(1)} ms (${of.length} calls)`;
  const { level, reason } = supervisor.isolation;
  const memory = process.memoryUsage();
  process.stdout.write(
    [
      ...report,
      `isolation: ${level}${reason === null ? '' : ` (${reason})`}`,
      `neighbour before: ${figures(quiet)}`,
      `neighbour during: ${figures(during)}, ${failures.length} failed`,
      `supervisor: ${Math.round(memory.rss / 1024 / 1024)} MiB resident`,
      '',
    ].join('\n'),
  );
});

describe('F1: a hostile function', () => {
  test.each(PROGRAMS.map((program) => [program.title, program] as const))(
    '%s',
    async (title, { code, ends, value, isStillborn = false }) => {
      const text = isStillborn ? code : `${code}\nexport const ok = () => 1;`;
      const before = failures.length;
      const began = performance.now();
      const { outcome, logs } = await call(title, text, 'run');
      const took = performance.now() - began;
      expect(ends, JSON.stringify(outcome).slice(0, 300)).toContain(outcome.kind);
      if (outcome.kind === 'ok' && value !== undefined) expect(JSON.parse(outcome.value)).toEqual(value);
      expect(took).toBeLessThan(CALL_MS_MAX);
      expect(logs.length).toBeLessThanOrEqual(200);

      let recovery = '';
      if (!isStillborn) {
        // What it has done to its instance ends with that: the installation answers again, if not at once.
        await expect
          .poll(
            async () => {
              const again = performance.now();
              const next = await call(title, text, 'ok');
              recovery = `, next call ${Math.round(performance.now() - again)} ms: ${next.outcome.kind}`;
              return next.outcome.kind === 'ok';
            },
            { timeout: 15_000 },
          )
          .toBe(true);
      }
      report.push(`${title}: ${outcome.kind}${'limit' in outcome ? ` (${outcome.limit})` : ''} after ${Math.round(took)} ms${recovery}`);
      expect(failures.slice(before), 'calls of the neighbour').toEqual([]);
    },
  );

  test('leaves no process behind but idle ones, and the supervisor as it was', async () => {
    await expect.poll(() => supervisor.instances.filter(({ state }) => state !== 'warm').length).toBe(0);
    expect(supervisor.instances.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBeLessThanOrEqual(1);
    expect(process.memoryUsage().rss).toBeLessThan(600 * 1024 * 1024);
  });
});
