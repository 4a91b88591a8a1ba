import type { Command } from 'commander';
import type { ApproveOptions } from './approve-functions.ts';
import type { AtServer } from './call-api.ts';
import type { InEnvironment, LeaveOptions, RemoveOptions, SetOptions } from './function-environments.ts';
import type { RollbackOptions, VersionsOptions } from './function-versions.ts';

const APP = ['<app>', 'its key'] as const;
const ENVIRONMENT = ['--environment <name>', 'development, staging, production, or another name'] as const;
const APPLICATION = ['--application <id>', 'for one install only: the Application of it (app…)'] as const;

/** `functions versions | rollback | approve | env …`. `atServer` adds what every call of a server has. */
export function addVersionCommands(group: Command, atServer: (command: Command) => Command): void {
  atServer(group.command('versions').argument(...APP))
    .option('--environment <name>', 'of one environment only')
    .description('list the versions that are kept, the newest first, and what each requests')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions versions notes --environment production')
    .action(async (app: string, options: VersionsOptions) => (await import('./function-versions.ts')).listVersions(app, options));
  atServer(group.command('rollback').argument(...APP))
    .requiredOption(...ENVIRONMENT)
    .option('--to <version>', 'the version before, if absent')
    .description('go back to an earlier version, from the next call on; what came after it runs for nobody')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions rollback notes --environment production --to 3')
    .action(async (app: string, options: RollbackOptions) => (await import('./function-versions.ts')).rollBack(app, options));
  atServer(group.command('approve').argument(...APP))
    .requiredOption(...ENVIRONMENT)
    .option(...APPLICATION)
    .option('--all', 'for every install that waits')
    .option('--yes', 'do not ask')
    .description('show what the newest version requests and for whom it waits, then approve exactly that')
    .addHelpText(
      'after',
      `
Examples:
  $ npx bulkhead functions approve notes --environment production --application app…
  $ npx bulkhead functions approve notes --environment production --all --yes`,
    )
    .action(async (app: string, options: ApproveOptions) => (await import('./approve-functions.ts')).approveFunctions(app, options));
  addEnvironmentCommands(
    group.command('env').description('environments of an App: who is in them, and the variables of its functions'),
    atServer,
  );
}

function addEnvironmentCommands(group: Command, atServer: (command: Command) => Command): void {
  group.addHelpText(
    'after',
    `
Examples:
  $ npx bulkhead functions env list notes
  $ npx bulkhead functions env set notes API_KEY --environment production < key.txt
  $ npx bulkhead functions env join notes --environment staging --application app…`,
  );
  atServer(group.command('list').argument(...APP))
    .description('list the environments: versions, variables, installs, and how many wait for approval')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env list notes')
    .action(async (app: string, options: AtServer) => (await import('./function-environments.ts')).listEnvironments(app, options));
  atServer(group.command('variables').argument(...APP))
    .requiredOption(...ENVIRONMENT)
    .option(...APPLICATION)
    .description('list what is set; the values of secrets are shown to nobody')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env variables notes --environment production')
    .action(async (app: string, options: InEnvironment) => (await import('./function-environments.ts')).listVariables(app, options));
  atServer(
    group
      .command('set')
      .argument(...APP)
      .argument('<name>', 'of the variable')
      .argument('[value]', 'with --plain only'),
  )
    .requiredOption(...ENVIRONMENT)
    .option(...APPLICATION)
    .option('--plain', 'it is no secret: its value may be listed')
    .description('set a variable; the value is read from standard input')
    .addHelpText(
      'after',
      `
Examples:
  $ npx bulkhead functions env set notes API_KEY --environment production < key.txt
  $ npx bulkhead functions env set notes REGION eu --plain --environment production --application app…`,
    )
    .action(async (app: string, name: string, value: string | undefined, options: SetOptions) =>
      (await import('./function-environments.ts')).setVariable(app, name, value, options),
    );
  atServer(
    group
      .command('unset')
      .argument(...APP)
      .argument('<name>', 'of the variable'),
  )
    .requiredOption(...ENVIRONMENT)
    .option(...APPLICATION)
    .description('unset a variable')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env unset notes REGION --environment production')
    .action(async (app: string, name: string, options: InEnvironment) =>
      (await import('./function-environments.ts')).unsetVariable(app, name, options),
    );
  atServer(group.command('join').argument(...APP))
    .requiredOption(...ENVIRONMENT)
    .requiredOption('--application <id>', 'whose install joins (app…)')
    .option('--yes', 'do not ask')
    .description('let an install join an environment, and approve what is deployed in it')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env join notes --environment staging --application app…')
    .action(async (app: string, options: ApproveOptions) => (await import('./approve-functions.ts')).approveFunctions(app, options));
  atServer(group.command('leave').argument(...APP))
    .requiredOption(...ENVIRONMENT)
    .requiredOption('--application <id>', 'whose install leaves (app…)')
    .description('take an install out of an environment, with what was approved and set for it there')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env leave notes --environment staging --application app…')
    .action(async (app: string, options: LeaveOptions) => (await import('./function-environments.ts')).leaveEnvironment(app, options));
  atServer(
    group
      .command('remove')
      .argument(...APP)
      .argument('<environment>', 'any but production'),
  )
    .option('--yes', 'do not ask')
    .description('remove an environment: its versions and variables, and what installs keep in it')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions env remove notes staging')
    .action(async (app: string, environment: string, options: RemoveOptions) =>
      (await import('./function-environments.ts')).removeEnvironment(app, environment, options),
    );
}
