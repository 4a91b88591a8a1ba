import type { Command } from 'commander';
import type { TailOptions } from './events.ts';

export function addEventsCommand(program: Command): void {
  program
    .command('events')
    .description('follow what happens in an Application')
    .command('tail')
    .description('print events as they come, from now on or from a cursor')
    .option('--application <id>', 'refuse to print those of another Application than this (app…)')
    .option('--account <id>', 'of this account only')
    .option('--from <cursor>', 'after this cursor; "start": from the oldest event that is kept; now if absent')
    .option('--once', 'end when everything there is has been printed')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Calls a running server with the API key in API_KEY. The last cursor goes to standard error at the end: go on from there with --from.

Examples:
  $ npx bulkhead events tail
  $ npx bulkhead events tail --from start --once --json`,
    )
    .action(async (options: TailOptions) => (await import('./events.ts')).tailEvents(options));
}
