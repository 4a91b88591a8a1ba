import { writeSync } from 'node:fs';
import { CommanderError } from 'commander';
import { explainUsage } from './explain-usage.ts';
import { createProgram } from './program.ts';

/** Runs the command line of this process; sets its exit code. 0 done, 1 failed, 2 asked for in the wrong way. */
export async function main(argv: readonly string[] = process.argv): Promise<void> {
  // Of the older Node that started us, where there is one (see bin/bulkhead.mjs): waiting for it keeps nobody alive.
  process.channel?.unref();
  // A reader that went away (`bulkhead … | head`) is no reason to crash, nor to stop serving.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (thrown) {
    // What a failed command needs to explain itself it has loaded already; help and wrong usage need none of it.
    const { text, exitCode } =
      thrown instanceof CommanderError
        ? explainUsage(thrown, program, argv.slice(2))
        : (await import('./explain-failure.ts')).explainFailure(thrown);
    if (text !== '') writeSync(2, `${text}\n`);
    process.exitCode = exitCode;
  }
}
