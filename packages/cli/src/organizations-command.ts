import type { Command } from 'commander';

export function addOrganizationsCommand(program: Command): void {
  const group = program
    .command('organizations')
    .description('create and list organizations: each has its own Applications and Meta tokens, and sees nothing of another')
    .addHelpText(
      'after',
      `
Works beside a running server and without one. Most installations need only the first organization, which is always there.

Examples:
  $ npx bulkhead organizations create --name "Team North"
  $ npx bulkhead organizations list`,
    );
  group
    .command('create')
    .description('make another organization')
    .requiredOption('--name <name>', 'what people call it')
    .option('--json', 'answer as JSON')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead organizations create --name "Team North"')
    .action(async (options: { readonly name: string; readonly json?: true }) =>
      (await import('./organizations.ts')).createOrganization(options),
    );
  group
    .command('list')
    .description('show the organizations there are')
    .option('--json', 'answer as JSON')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead organizations list --json')
    .action(async (options: { readonly json?: true }) => (await import('./organizations.ts')).showOrganizations(options));
}
