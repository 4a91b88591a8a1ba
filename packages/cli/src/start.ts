import { setTimeout as delay } from 'node:timers/promises';
import { configFrom, readEnvironment, unknownSettings } from '@bulkhead/platform';
import { closeInReverse, pinoLog, startBulkhead } from '@bulkhead/server';
import manifest from '../package.json' with { type: 'json' };
import { startServicesOfDemo, startSiteOfDemo } from './start-demo.ts';
import { startBlock } from './start-block.ts';
import { onStopSignal, type StopReason, type StopSignal } from './stop-signal.ts';
import { UsageError } from './usage-error.ts';

/** How long a stop may take, its grace included; supervisors kill after 30 s by custom. */
const STOP_LIMIT_MS = 25_000;
/** What running requests get in any case. */
const LEAST_DRAIN_MS = 20_000;

/** Serves until a signal asks it to stop; with `demo`, the demo's services and page beside it. */
export async function start({ demo = false }: { readonly demo?: boolean } = {}): Promise<void> {
  const workingDirectory = process.cwd();
  for (const name of unknownSettings(process.env))
    process.stderr.write(`${name} is not a setting of this version and does nothing. All settings: docs/reference/config.md\n`);
  const config = configFrom(readEnvironment(), workingDirectory);
  if (demo && !config.roles.has('api'))
    throw new UsageError('--demo needs the API in this process: add api to BULKHEAD_ROLES, or leave --demo out.');
  const log = pinoLog(config.logLevel);
  const stop = onStopSignal({ force: (exitCode) => process.exit(exitCode) });
  // Neither signal handlers nor an idle pool keep a process alive.
  const staying = setInterval(() => undefined, 2 ** 30);
  const closing: (() => Promise<void>)[] = [];
  let graceMs = 0;
  try {
    const services = demo ? await startServicesOfDemo(config, log, closing) : null;
    const bulkhead = await startBulkhead({ config, log, egressAllow: services?.egressAllow ?? [], acceptProcess: demo });
    closing.push(() => bulkhead.close({ graceMs }));
    const site = services === null ? null : await startSiteOfDemo({ config, log, bulkhead, services }, closing);
    if (!stop.isAsked()) {
      process.stdout.write(
        startBlock({
          version: manifest.version,
          publicUrl: config.roles.has('api') ? bulkhead.publicUrl : null,
          demo:
            site === null || services === null
              ? null
              : {
                  url: site.url,
                  harbourUrl: services.upstream.issuer,
                  lanternUrl: services.upstream.notesBaseUrl,
                  receiverUrl: services.receiver.url,
                  appUrl: services.app.url,
                },
          dataDir: config.databaseUrl === null ? config.dataDir : null,
          workingDirectory,
          roles: [...config.roles],
          metaToken:
            bulkhead.firstMetaToken !== null
              ? { kind: 'issued', text: bulkhead.firstMetaToken.reveal() }
              : { kind: config.metaToken === null ? 'earlier' : 'from-environment' },
        }),
      );
    }
    const reason = await stop.asked;
    // Whoever presses Ctrl-C has no balancer to tell.
    if (reason === 'SIGTERM') graceMs = config.stopGraceMs;
    await drain(closing, stop, reason, Math.max(STOP_LIMIT_MS, graceMs + LEAST_DRAIN_MS));
  } catch (thrown) {
    await closeInReverse(closing).catch((error: unknown) =>
      log.error('Not everything could be stopped after a failed start', { err: error }),
    );
    throw thrown;
  } finally {
    clearInterval(staying);
    stop.release();
  }
}

async function drain(closing: (() => Promise<void>)[], stop: StopSignal, reason: StopReason, limitMs: number): Promise<void> {
  const why = reason === 'orphaned' ? 'the process that started this one is gone' : reason === 'SIGINT' ? 'Ctrl-C, SIGINT' : reason;
  process.stderr.write(`\nStopping (${why}): running requests may end first. Ctrl-C again stops at once.\n`);
  const limit = new AbortController();
  const closed = closeInReverse(closing.splice(0)).then(() => 'closed' as const);
  const outcome = await Promise.race([closed, delay(limitMs, 'late' as const, { signal: limit.signal, ref: false })]);
  limit.abort();
  stop.release();
  if (outcome === 'late') {
    process.stderr.write(`Some requests did not end within ${limitMs / 1_000} s; they are cut off.\n`);
    process.exit(1);
  }
  process.stderr.write('Stopped.\n');
}
