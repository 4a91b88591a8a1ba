import type { Command } from 'commander';
import type { ExportOptions, RelinkOptions, StorageOptions } from './functions-storage.ts';

/** `bulkhead functions storage …`, below the group `functions`; `ofInstall` adds what says of which install. */
export function addFunctionsStorageCommand(functions: Command, ofInstall: (command: Command) => Command): void {
  const group = functions
    .command('storage')
    .description('what functions keep: how much, all of it, and what an uninstall has left')
    .addHelpText(
      'after',
      `
Examples:
  $ npx bulkhead functions storage usage notes --application app…
  $ npx bulkhead functions storage export notes --application app… --output notes.ndjson
  $ npx bulkhead functions storage relink notes --application app…`,
    );
  ofInstall(group.command('usage').argument('<app>', 'its key'))
    .description('tell how much is kept per environment, and what is kept from installs before, each with its id')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions storage usage notes --application app…')
    .action(async (app: string, options: StorageOptions) => (await import('./functions-storage.ts')).printUsage(app, options));
  ofInstall(group.command('export').argument('<app>', 'its key'))
    .option('--output <file>', 'where to; standard output if absent')
    .description('write all that is kept in an environment as lines of JSON; of secrets the keys alone')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions storage export notes --application app… --output notes.ndjson')
    .action(async (app: string, options: ExportOptions) => (await import('./functions-storage.ts')).exportStorage(app, options));
  ofInstall(group.command('relink').argument('<app>', 'its key'))
    .option('--store <id>', 'which of those that `usage` shows as kept; the one that was in use last, if absent')
    .option('--replace', 'also where values are kept by now: those are kept aside for 28 days in turn')
    .description('put back what was kept when the App was uninstalled, at most 28 days ago, for the install of today')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions storage relink notes --application app… --environment production')
    .action(async (app: string, options: RelinkOptions) => (await import('./functions-storage.ts')).relinkStorage(app, options));
}
