import type { Command } from 'commander';
import type { AddOptions, OfApplication } from './installs.ts';

function ofApplication(command: Command): Command {
  return command
    .requiredOption('--application <id>', 'of this Application (app…)')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON');
}

export function addInstallsCommand(program: Command): void {
  const group = program
    .command('installs')
    .description('the Apps that are installed into an Application')
    .addHelpText(
      'after',
      `
Calls a running server with the Meta token in META_TOKEN. Guide: docs/guides/install-an-app.md
Exit codes: 0 done, 1 not done (also an install that the App refused), 2 asked for in the wrong way.

Examples:
  $ npx bulkhead installs add notes --application app… --scopes READ,WRITE
  $ npx bulkhead installs logs notes --application app…`,
    );
  ofApplication(group.command('add').argument('<app>', 'its key'))
    .option('--scopes <list>', 'consent: exactly the scopes that the App asks for; none if absent')
    .description('install an App, or install it again with a new secret; waits until the App has accepted')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead installs add notes --application app… --scopes READ')
    .action(async (key: string, options: AddOptions) => (await import('./installs.ts')).addInstall(key, options));
  ofApplication(group.command('remove').argument('<app>', 'its key'))
    .description('uninstall an App: its tokens are refused at once, and it is told')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead installs remove notes --application app…')
    .action(async (key: string, options: OfApplication) => (await import('./installs.ts')).removeInstall(key, options));
  ofApplication(group.command('list'))
    .description('show the Apps that are installed')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead installs list --application app…')
    .action(async (options: OfApplication) => (await import('./installs.ts')).listInstalls(options));
  ofApplication(group.command('logs').argument('<app>', 'its key'))
    .description('show the newest 100 lifecycle calls to an App and what it said, also after it was uninstalled or has refused')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead installs logs notes --application app…')
    .action(async (key: string, options: OfApplication) => (await import('./installs.ts')).listCalls(key, options));
}
