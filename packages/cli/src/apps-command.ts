import type { Command } from 'commander';
import type { AtServer } from './call-api.ts';
import type { RegisterOptions } from './apps.ts';

export function addAppsCommand(program: Command): void {
  const group = program
    .command('apps')
    .description('the Apps of an organization: what may be installed into its Applications')
    .addHelpText(
      'after',
      `
Calls a running server with the Meta token in META_TOKEN. Guide: docs/guides/install-an-app.md

Examples:
  $ npx bulkhead apps register https://notes.example/atlassian-connect.json
  $ npx bulkhead apps list
  $ npx bulkhead apps remove notes`,
    );
  group
    .command('register')
    .argument('[url]', 'where the App serves its descriptor')
    .option('--file <path>', 'or a file that holds the descriptor')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON')
    .description('register an App by its descriptor, or replace the descriptor of one that is registered')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead apps register https://notes.example/atlassian-connect.json')
    .action(async (address: string | undefined, options: RegisterOptions) => (await import('./apps.ts')).registerApp(address, options));
  group
    .command('list')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON')
    .description('show the Apps and the scopes they ask for')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead apps list')
    .action(async (options: AtServer) => (await import('./apps.ts')).listApps(options));
  group
    .command('remove')
    .argument('<app>', 'its key')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON')
    .description('forget an App that is installed nowhere any more')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead apps remove notes')
    .action(async (key: string, options: AtServer) => (await import('./apps.ts')).removeApp(key, options));
}
