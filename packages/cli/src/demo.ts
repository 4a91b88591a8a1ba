import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTerminalDemo, startDemoServices } from '@bulkhead/demo';
import { configFrom, readEnvironment } from '@bulkhead/platform';
import { closeInReverse, pinoLog, startBulkhead } from '@bulkhead/server';
import { demoFunctions } from './demo-functions.ts';
import { onStopSignal } from './stop-signal.ts';

export async function demo(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bulkhead-demo-'));
  const metaToken = randomBytes(32).toString('base64url');
  const { logLevel } = configFrom(readEnvironment(), folder);
  const log = pinoLog(logLevel);
  // None of the settings for serving count here: port, folder and database are the demo's own.
  const config = {
    ...configFrom(readEnvironment({ BULKHEAD_PORT: '0', BULKHEAD_DATA_DIR: folder, BULKHEAD_META_TOKEN: metaToken }), folder),
    logLevel,
  };
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })];
  const stop = onStopSignal({ force: (exitCode) => process.exit(exitCode) });
  try {
    const services = await startDemoServices({ log });
    closing.push(() => services.close());
    const bulkhead = await startBulkhead({ config, log, egressAllow: services.egressAllow, acceptProcess: true });
    closing.push(() => bulkhead.close());
    const out = (line: string) => void process.stdout.write(`${line}\n`);
    const told = runTerminalDemo({
      bulkheadUrl: bulkhead.publicUrl,
      metaToken,
      upstream: services.upstream,
      app: services.app,
      functions: demoFunctions,
      out,
    });
    // Ctrl-C leaves the story where it is; what it was told with goes all the same.
    process.exitCode = await Promise.race([told, stop.asked.then(() => INTERRUPTED)]);
    told.catch((error: unknown) => log.debug('The story ended after it was left', { err: error }));
  } finally {
    await closeInReverse(closing);
    stop.release();
  }
}

const INTERRUPTED = 130;
