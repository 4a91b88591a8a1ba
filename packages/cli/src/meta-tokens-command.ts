import type { Command } from 'commander';
import type { CreateOptions, InOrganization } from './meta-tokens.ts';

/** As `META_SCOPES` has them; written out, so that showing the help loads nothing else. */
export const SCOPES = 'applications:read, applications:write, tokens:read, tokens:write';

const ORGANIZATION = ['--organization <id>', 'of which organization (org…); the first one if absent'] as const;

export function addMetaTokensCommand(program: Command): void {
  const group = program
    .command('meta-tokens')
    .description('create, list and revoke Meta tokens: they configure Applications and reach no account')
    .addHelpText(
      'after',
      `
Works beside a running server and without one, on the database that "npx bulkhead start" would use here.

Examples:
  $ npx bulkhead meta-tokens create --name deploy
  $ META_TOKEN=$(npx bulkhead meta-tokens create --name ci --scopes applications:read --expires-in 30d)
  $ npx bulkhead meta-tokens list --json
  $ npx bulkhead meta-tokens revoke mtk…`,
    );
  group
    .command('create')
    .description('issue a Meta token; its text is printed this once, alone on standard output')
    .requiredOption('--name <name>', 'what it is for, so that you know which one to revoke')
    .option('--scopes <list>', `comma-separated: ${SCOPES}; all of them if absent`)
    .option('--expires-in <time>', 'such as 12h or 30d; never if absent')
    .option(...ORGANIZATION)
    .option('--json', 'answer as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ META_TOKEN=$(npx bulkhead meta-tokens create --name ci --scopes applications:write --expires-in 30d)',
    )
    .action(async (options: CreateOptions) => (await import('./meta-tokens.ts')).createToken(options));
  group
    .command('list')
    .description('show the Meta tokens there are, shortened')
    .option(...ORGANIZATION)
    .option('--json', 'answer as JSON')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead meta-tokens list --json')
    .action(async (options: InOrganization) => (await import('./meta-tokens.ts')).listTokens(options));
  group
    .command('revoke')
    .description('end a Meta token at once')
    .argument('<id>', 'the id that "list" shows (mtk…)')
    .option(...ORGANIZATION)
    .option('--json', 'answer as JSON')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead meta-tokens revoke mtk…')
    .action(async (id: string, options: InOrganization) => (await import('./meta-tokens.ts')).revokeToken(id, options));
}
