import { Command } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { addAppsCommand } from './apps-command.ts';
import { addAuditCommand } from './audit-command.ts';
import { addDemoCommand } from './demo-command.ts';
import { addDoctorCommand } from './doctor-command.ts';
import { addEventsCommand } from './events-command.ts';
import { addFunctionsCommand } from './functions-command.ts';
import { addInboundCommand } from './inbound-command.ts';
import { addInstallsCommand } from './installs-command.ts';
import { addKeysCommand } from './keys-command.ts';
import { addMetaTokensCommand } from './meta-tokens-command.ts';
import { addOrganizationsCommand } from './organizations-command.ts';
import { addStartCommand } from './start-command.ts';
import { addTokensCommand } from './tokens-command.ts';
import { addWebhooksCommand } from './webhooks-command.ts';

/** The command line as data: every command with its options, examples and action. Wrong usage throws CommanderError. */
export function createProgram(): Command {
  const program = new Command('bulkhead')
    .description('Bulkhead: one sealed compartment per customer for connected accounts, tokens and calls.')
    .version(manifest.version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  addStartCommand(program);
  addMetaTokensCommand(program);
  addTokensCommand(program);
  addOrganizationsCommand(program);
  addKeysCommand(program);
  addAuditCommand(program);
  addWebhooksCommand(program);
  addEventsCommand(program);
  addInboundCommand(program);
  addAppsCommand(program);
  addInstallsCommand(program);
  addFunctionsCommand(program);
  addDemoCommand(program);
  addDoctorCommand(program);
  program.addHelpText(
    'after',
    `
Examples:
  $ npx bulkhead start --demo                      everything, with a demo to click through
  $ npx bulkhead demo                              the same in the terminal, and nothing left behind
  $ npx bulkhead meta-tokens create --name deploy  a token for the Meta API

Settings are environment variables (BULKHEAD_PORT, BULKHEAD_DATA_DIR, …): docs/reference/config.md`,
  );
  return program;
}
