import type { Command } from 'commander';
import type { DevelopOptions } from './functions-dev.ts';
import type { InitOptions } from './functions-init.ts';

/** `init` and `dev` of the group `functions`: what needs no server that runs. */
export function addFunctionsDevCommands(group: Command): void {
  group
    .command('init')
    .argument('[dir]', 'the new folder, or an empty one', '.')
    .requiredOption('--app <key>', 'the key of the App that the functions are of')
    .description('write a small folder of functions that deploys as it is: bulkhead.yml, a function, its unit test')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions init ./my-app --app notes')
    .action(async (folder: string, options: InitOptions) => (await import('./functions-init.ts')).initFunctions(folder, options));
  group
    .command('dev')
    .argument('[dir]', 'the folder of bulkhead.yml', '.')
    .option('--applications <n>', 'how many customers have the App installed, 1 to 9', '2')
    .option('--port <port>', 'of the server; any free one if absent')
    .option(
      '--inspect <port>',
      'a debugger listens for each install, from this port on, on 127.0.0.1 only; functions then run without the jail',
    )
    .description('run the functions of a folder with a server, a database and Apps of its own, and again after each change')
    .addHelpText(
      'after',
      `
Everything is local and in a temporary folder that goes with the command; the runner and the engine are those of every server.
What functions write is shown as it comes. A line on standard input calls a function, for the first customer or the one whose
number it begins with; an empty line makes the last call again. BULKHEAD_EGRESS_ALLOW and BULKHEAD_FUNCTION_LIMITS count as for a server.
With --inspect calls have no limit of time; connect with chrome://inspect, or the debugger of an editor.

Examples:
  $ npx bulkhead functions dev ./my-app
  count {"by": 2}
  2 count
  $ npx bulkhead functions dev ./my-app --inspect 9229`,
    )
    .action(async (folder: string, options: DevelopOptions) => (await import('./functions-dev.ts')).developFunctions(folder, options));
}
