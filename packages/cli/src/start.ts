import { setTimeout as delay } from 'node:timers/promises';
import { configFrom, readEnvironment } from '@bulkhead/platform';
import { type Bulkhead, pinoLog, startBulkhead } from '@bulkhead/server';
import manifest from '../package.json' with { type: 'json' };
import { startBlock } from './start-block.ts';
import { onStopSignal, type StopSignal } from './stop-signal.ts';

/** How long running requests may take to end after the first Ctrl-C; supervisors kill after 30 s by custom. */
const DRAIN_LIMIT_MS = 25_000;

export async function start(): Promise<void> {
  const workingDirectory = process.cwd();
  const config = configFrom(readEnvironment(), workingDirectory);
  const log = pinoLog(config.logLevel);
  const stop = onStopSignal({ force: (exitCode) => process.exit(exitCode) });
  // Neither signal handlers nor an idle pool keep a process alive.
  const staying = setInterval(() => undefined, 2 ** 30);
  try {
    const bulkhead = await startBulkhead({ config, log });
    if (!stop.isAsked()) {
      process.stdout.write(
        startBlock({
          version: manifest.version,
          publicUrl: config.roles.has('api') ? bulkhead.publicUrl : null,
          demoUrl: null,
          dataDir: config.databaseUrl === null ? config.dataDir : null,
          workingDirectory,
          roles: [...config.roles],
          metaToken: bulkhead.firstMetaToken !== null ? { kind: 'issued', text: bulkhead.firstMetaToken.reveal() } : { kind: config.metaToken === null ? 'earlier' : 'from-environment' },
        }),
      );
    }
    await stop.asked;
    await drain(bulkhead, stop);
  } finally {
    clearInterval(staying);
    stop.release();
  }
}

async function drain(bulkhead: Bulkhead, stop: StopSignal): Promise<void> {
  process.stderr.write('\nStopping: running requests may end first. Ctrl-C again stops at once.\n');
  const limit = new AbortController();
  const outcome = await Promise.race([bulkhead.close().then(() => 'closed' as const), delay(DRAIN_LIMIT_MS, 'late' as const, { signal: limit.signal, ref: false })]);
  limit.abort();
  stop.release();
  if (outcome === 'late') {
    process.stderr.write(`Some requests did not end within ${DRAIN_LIMIT_MS / 1_000} s; they are cut off.\n`);
    process.exit(1);
  }
}
