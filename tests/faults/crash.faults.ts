import { randomInt } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { FaultWorld, send } from './fault-world.ts';
import { note } from './ledger.ts';
import { ServerProcess } from './server-process.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.create();
});
afterAll(() => world[Symbol.asyncDispose]());

describe.concurrent('a worker killed in the middle of its tasks', () => {
  test('leaves none undone: each runs again, on another worker', async () => {
    const api = await world.server('api', { BULKHEAD_ROLES: 'api' });
    const tenant = await world.tenant(api);
    await world.service(api, tenant, 'harbour');
    const families = ['first', 'second', 'third', 'fourth'];
    const ids: number[] = [];
    for (const family of families) ids.push(await world.account(api, tenant, 'harbour', family));
    const doomed = await world.server('doomed worker', { BULKHEAD_ROLES: 'worker' });
    world.provider.holdRevocation = () => new Promise(() => undefined);
    for (const id of ids) expect((await world.call(api, 'DELETE', `/v1/accounts/${id}`, tenant.apiKey)).status).toBe(204);
    await eventually(() => world.provider.revocations.length, families.length);
    await doomed.end('SIGKILL');
    world.provider.holdRevocation = async () => undefined;
    await world.server('next worker', { BULKHEAD_ROLES: 'worker' });
    const left = async () => (await world.cluster.query(`select count(*)::int as n from tasks where name like 'vault.%'`))[0]!['n'];
    expect(await left()).toBe(families.length);
    await eventually(left, 0, 110_000);
    const told = new Set(world.provider.revocations.slice(families.length));
    expect(told).toEqual(new Set(families.map((family) => `refresh.${family}.1`)));
    expect(await world.cluster.query(`select 1 from credentials where service = 'harbour'`)).toEqual([]);
    note({
      clause: 'S2',
      what: `worker killed with ${families.length} tasks under way`,
      value: `all run again by another, ${world.provider.revocations.length} calls for ${families.length} tokens`,
      reach: 'at least once',
    });
  }, 180_000);
});

describe.concurrent('everything killed at a random moment, PostgreSQL included', () => {
  const ROUNDS = 4;

  test('comes back on its folder with every change that was acknowledged', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bulkhead-crash-'));
    const acknowledged = new Set<string>();
    let asked = 0;
    const startMs: number[] = [];
    try {
      for (let round = 1; round <= ROUNDS + 1; round++) {
        const startedAt = performance.now();
        const server = await (await start(folder, round)).ready();
        startMs.push(performance.now() - startedAt);
        // One after the other: all at once the server would rightly refuse some.
        const answers = new Map<number, number>();
        for (const id of acknowledged) {
          const status = await get(server, id);
          answers.set(status, (answers.get(status) ?? 0) + 1);
        }
        expect(
          [...answers.keys()].filter((status) => status !== 200),
          JSON.stringify([...answers]),
        ).toEqual([]);
        if (round > ROUNDS) {
          expect(await server.end('SIGTERM')).toBe(0);
          break;
        }
        let isOn = true;
        const writers = Array.from({ length: 4 }, async () => {
          while (isOn) {
            asked++;
            const made = await world.meta(server, 'POST', '/applications', { name: `crash ${round}` }).catch(() => null);
            if (made?.status === 201) acknowledged.add(made.json.id as string);
            else if (made === null) return;
          }
        });
        const before = acknowledged.size;
        await eventually(() => acknowledged.size > before, true);
        await delay(randomInt(20, 1_500));
        // The server first: it would start its PostgreSQL again.
        server.signal('SIGKILL');
        for (const pid of await processesOn(folder)) killIfThere(pid);
        await server.ended;
        isOn = false;
        await Promise.all(writers);
        await eventually(() => processesOn(folder), []);
      }
      expect(acknowledged.size).toBeGreaterThan(ROUNDS);
      note({
        clause: 'S2',
        what: `kill -9 of server and PostgreSQL, ${ROUNDS} times under 4 writers`,
        value: `${acknowledged.size} of ${asked} changes acknowledged, 0 lost; ready again after ${(Math.max(...startMs.slice(1)) / 1_000).toFixed(1)} s at most`,
        reach: '0 acknowledged changes lost',
      });
    } finally {
      for (const pid of await processesOn(folder)) killIfThere(pid);
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }, 180_000);

  const start = (folder: string, round: number) =>
    ServerProcess.spawn(`crash ${round}`, { BULKHEAD_DATA_DIR: folder, BULKHEAD_META_TOKEN: world.metaToken });
  const get = async (server: ServerProcess, id: string) =>
    (await send(`${server.url}/v1/meta/applications/${id}`, 'GET', `Bearer ${world.metaToken}`)).status;
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The postgres processes of a data folder: started on it, or working in it. */
async function processesOn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return words.includes(`${folder}/`) && !/\) Z /.test(stat) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
