import type { Command } from 'commander';
import type { ListOptions, VerifyOptions } from './audit.ts';

const APPLICATION = ['--application <id>', 'the log of one Application (app…)'] as const;
const ORGANIZATION = ['--organization <id>', "an organization's own log (org…)"] as const;

export function addAuditCommand(program: Command): void {
  const group = program
    .command('audit')
    .description('read the audit logs, and check that nobody changed them')
    .addHelpText(
      'after',
      `
Works beside a running server and without one, on the database that "npx bulkhead start" would use here; it needs the
same root key.

Examples:
  $ npx bulkhead audit verify --all | tee heads.txt   check every log, and keep where each ends
  $ npx bulkhead audit verify --all --heads heads.txt later: nothing that was there then may be missing
  $ npx bulkhead audit list --application app… --since 24h`,
    );
  group
    .command('verify')
    .description('check every entry and every seal; exit code 1 where something was edited, deleted, moved or cut')
    .option(...APPLICATION)
    .option(...ORGANIZATION)
    .option('--all', 'every log there is')
    .option('--head <seq:digest>', 'the end of this log as an earlier run printed it; what came before must still be there')
    .option('--heads <file>', 'the same for many logs: what an earlier run with --all printed')
    .option('--json', 'answer as JSON, a line for each log')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead audit verify --application app… --head 12:9f86d081…')
    .action(async (options: VerifyOptions) => (await import('./audit.ts')).verifyLogs(options));
  group
    .command('list')
    .description('show the entries of a log in their order')
    .option(...APPLICATION)
    .option(...ORGANIZATION)
    .option('--since <time>', 'such as 24h or 7d, or a moment such as 2026-11-25T10:00:00Z; all of them if absent')
    .option('--json', 'answer as JSON, a line for each entry')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead audit list --application app… --since 24h --json')
    .action(async (options: ListOptions) => (await import('./audit.ts')).listEntries(options));
}
