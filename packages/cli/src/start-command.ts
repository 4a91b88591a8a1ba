import type { Command } from 'commander';

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('start the server, with a PostgreSQL of its own unless BULKHEAD_DATABASE_URL names one')
    .option('--demo', 'with services to connect to and a page that walks through the product')
    .addHelpText(
      'after',
      `
Examples:
  $ npx bulkhead start --demo
  $ BULKHEAD_PORT=9000 BULKHEAD_DATA_DIR=/var/lib/bulkhead npx bulkhead start
  $ BULKHEAD_DATABASE_URL=postgres://user:password@db/bulkhead BULKHEAD_ROLES=worker npx bulkhead start

It prints where everything is, then "ready http://…". Ctrl-C drains and stops; a second Ctrl-C stops at once.
Settings: docs/reference/config.md`,
    )
    .action(async (options: { readonly demo?: true }) => (await import('./start.ts')).start(options));
}
