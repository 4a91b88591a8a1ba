import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { silentLog } from '@bulkhead/base';
import { startEmbeddedPostgres } from '@bulkhead/postgres';
import { alternate, medians } from '../alternate.ts';
import type { Row } from '../row.ts';

const ROOT = join(import.meta.dirname, '../..');

/** `npm start` on a data folder until it says that it is ready, then Ctrl-C. Seconds to that line. */
async function untilReady(dataDir: string): Promise<number> {
  const startedAt = performance.now();
  const child = spawn('npm', ['start', '--silent'], {
    cwd: ROOT,
    env: { ...process.env, BULKHEAD_DATA_DIR: dataDir, BULKHEAD_PORT: '0', BULKHEAD_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const exit = once(child, 'exit');
  let seconds = Number.NaN;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!/^ready https?:/.test(line)) continue;
    seconds = (performance.now() - startedAt) / 1000;
    // As a terminal sends it: to the whole group.
    process.kill(-child.pid!, 'SIGINT');
  }
  await exit;
  if (Number.isNaN(seconds)) throw new Error('npm start did not get ready');
  return seconds;
}

async function postgresAlone(dataDir: string): Promise<number> {
  const startedAt = performance.now();
  const postgres = await startEmbeddedPostgres({ dataDir, log: silentLog });
  const seconds = (performance.now() - startedAt) / 1000;
  await postgres.stop();
  return seconds;
}

export const start: Row = {
  id: 'start',
  what: 'second `npm start` until it is ready, less the start of PostgreSQL',
  yardstick: 'PostgreSQL started alone on the same folder',
  unit: 's',
  reach: { atMost: 3 },
  needs: [],
  async measure(lab) {
    const dataDir = join(lab.folder, 'start');
    await untilReady(dataDir);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => untilReady(dataDir),
      yardstick: () => postgresAlone(dataDir),
      compare: (ours, yardstick) => ours - yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 's')}; both cores, demo included.` };
  },
};
