import type { Command } from 'commander';
import { addJobCommands } from './function-jobs-command.ts';
import { addVersionCommands } from './function-versions-command.ts';
import { addFunctionsDevCommands } from './functions-dev-command.ts';
import { addWebtriggersCommand } from './function-webtriggers-command.ts';
import type { DeployOptions, InvokeOptions, LogsOptions } from './functions.ts';
import { addFunctionsStorageCommand } from './functions-storage-command.ts';

function atServer(command: Command): Command {
  return command
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON');
}

function ofInstall(command: Command): Command {
  return atServer(
    command
      .requiredOption('--application <id>', 'for which the App is installed (app…)')
      .option('--environment <name>', 'of the deployment', 'production'),
  );
}

export function addFunctionsCommand(program: Command): void {
  const group = program
    .command('functions')
    .description('code of Apps that runs here, in a process per installation')
    .addHelpText(
      'after',
      `
Calls a running server with the Meta token in META_TOKEN. Guide: docs/guides/write-a-function.md
Exit codes: 0 done, 1 not done (also a function that ended without a value), 2 asked for in the wrong way.

Examples:
  $ npx bulkhead functions init ./my-app --app notes
  $ npx bulkhead functions dev ./my-app
  $ npx bulkhead functions deploy ./my-app --environment production
  $ npx bulkhead functions invoke notes count --application app…
  $ npx bulkhead functions logs notes --application app… --follow`,
    );
  addFunctionsDevCommands(group);
  atServer(group.command('deploy').argument('[dir]', "the folder of bulkhead.yml, or of Forge's manifest.yml", '.'))
    .option('--environment <name>', 'where to: development, staging, production, or another name')
    .option('--app <key>', 'the App that the manifest must be of; of manifest.yml, the App that it becomes')
    .option('--forge', 'read manifest.yml, though there is a bulkhead.yml')
    .option('--print-manifest', 'print bulkhead.yml, or what manifest.yml comes to in its form, and deploy nothing')
    .description(
      'bundle the functions of a folder and deploy them; where all it requests is approved, what is called from then on is this version',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ npx bulkhead functions deploy ./my-app --environment development
  $ npx bulkhead functions deploy ./forge-app --app notes --print-manifest`,
    )
    .action(async (folder: string, options: DeployOptions) => (await import('./functions.ts')).deployFunctions(folder, options));
  ofInstall(group.command('invoke').argument('<app>', 'its key').argument('<function>', 'its key in bulkhead.yml'))
    .option('--payload <json>', 'the first argument; null if absent')
    .description('call a function: its value on standard output, what it wrote on standard error')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions invoke notes count --application app… --payload \'{"a": 1}\'')
    .action(async (app: string, name: string, options: InvokeOptions) =>
      (await import('./functions.ts')).invokeFunction(app, name, options),
    );
  ofInstall(group.command('logs').argument('<app>', 'its key'))
    .option('--cursor <cursor>', 'go on where an earlier one ended')
    .option('--follow', 'go on until Ctrl-C')
    .description('show what functions wrote, call by call; kept for a week')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions logs notes --application app… --follow')
    .action(async (app: string, options: LogsOptions) => (await import('./functions.ts')).printLogs(app, options));
  addWebtriggersCommand(group, ofInstall);
  addVersionCommands(group, atServer);
  addJobCommands(group, atServer);
  addFunctionsStorageCommand(group, ofInstall);
}
