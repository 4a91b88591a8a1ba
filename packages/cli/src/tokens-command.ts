import type { Command } from 'commander';
import type { FindOptions, RevokeOptions } from './tokens.ts';

/** The options that say which tokens are meant. */
function addSelection(command: Command): Command {
  return command
    .option('--service <id>', 'of accounts at this service (gdrive, or the id of a custom service)')
    .option('--application <id>', 'of this Application only')
    .option('--older-than <time>', 'given, approved or issued longer ago than this, such as 2h or 30d')
    .option('--all', 'everything of every Application, where none of the three is given');
}

export function addTokensCommand(program: Command): void {
  const group = program
    .command('tokens')
    .description('in an incident: find what a leak touches, and revoke it across Applications')
    .addHelpText(
      'after',
      `
What is meant: access tokens and refresh tokens that Bulkhead issued (with the grants they hang from, and whatever was exchanged
from them), and the upstream credentials of connected accounts. API keys and Meta tokens are ended elsewhere.
Works beside a running server and without one. What to do first, by kind of leak: docs/guides/incident.md

Examples:
  $ npx bulkhead tokens find --service gdrive
  $ npx bulkhead tokens revoke --service gdrive --older-than 2h
  $ npx bulkhead tokens revoke --application aAPP… --yes`,
    );
  addSelection(group.command('find'))
    .description('count what matches, per Application and service; changes nothing')
    .option('--ours-only', 'leave upstream credentials out of the count')
    .option('--json', 'answer as JSON')
    .addHelpText(
      'after',
      `
Options combine: with --service and --older-than only what matches both is counted.

Examples:
  $ npx bulkhead tokens find --all
  $ npx bulkhead tokens find --service gdrive --older-than 30d --json`,
    )
    .action(async (options: FindOptions) => (await import('./tokens.ts')).findTokens(options));
  addSelection(group.command('revoke'))
    .description('count what matches, ask, then end it: ours at once, upstream credentials at their services soon after')
    .option('--ours-only', 'end only what Bulkhead issued; leave the upstream credentials as they are')
    .option('--dry-run', 'only count')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'answer as JSON, when done')
    .addHelpText(
      'after',
      `
Whoever calls with a revoked token is answered 401 from the next request on. An account whose upstream credential was revoked
stays, broken (revoked_by_operator): connected again by the same person, it keeps its id. A running server tells the services
and tries again where one is down. Interrupted, the same command finishes what is left. An entry goes into the audit log of
each Application.

Exit codes: 0 done (also where nothing matched), 1 not done or not all of it, 2 asked for in the wrong way.

Examples:
  $ npx bulkhead tokens revoke --service gdrive --dry-run
  $ npx bulkhead tokens revoke --service gdrive --older-than 2h --yes
  $ npx bulkhead tokens revoke --application aAPP… --ours-only`,
    )
    .action(async (options: RevokeOptions) => (await import('./tokens.ts')).revokeTokens(options));
}
