import type { Command } from 'commander';
import type { AtServer } from './call-api.ts';
import type { AddOptions, MessagesOptions, OfApplication, RotateOptions } from './inbound.ts';

function atServer(command: Command): Command {
  return command
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON');
}

function ofApplication(command: Command): Command {
  return atServer(command.requiredOption('--application <id>', 'of this Application (app…)'));
}

export function addInboundCommand(program: Command): void {
  const group = program
    .command('inbound')
    .description('what services report to an Application: expect them, rotate their secrets, read what they said')
    .addHelpText(
      'after',
      `
Calls a running server with the Meta token in META_TOKEN, for messages with the API key in API_KEY. A secret comes from INBOUND_SECRET, or is
made and shown once. Guide: docs/guides/inbound-webhooks.md
Exit codes: 0 done, 1 not done, 2 asked for in the wrong way.

Examples:
  $ npx bulkhead inbound add github --application app…
  $ INBOUND_SECRET=… npx bulkhead inbound add their-gitlab --scheme gitlab --application app…
  $ npx bulkhead inbound messages --service github`,
    );
  ofApplication(group.command('add').argument('<service>', 'such as github'))
    .option('--scheme <scheme>', 'how the service proves its messages, where it is a custom one; its own way if absent')
    .description('expect messages of a service; prints the address that it is to be given')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound add github --application app…')
    .action(async (service: string, options: AddOptions) => (await import('./inbound.ts')).addInbound(service, options));
  ofApplication(group.command('list'))
    .description('show which services are expected, and at which addresses')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound list --application app…')
    .action(async (options: OfApplication) => (await import('./inbound.ts')).listInbound(options));
  ofApplication(group.command('rotate').argument('<inbound>', 'its id'))
    .option('--finish', 'the service signs with the secret in INBOUND_SECRET by now: the one before counts no more')
    .description('let a new secret count beside the old one, or with --finish alone')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound rotate inb… --application app…')
    .action(async (id: string, options: RotateOptions) => (await import('./inbound.ts')).rotateInbound(id, options));
  ofApplication(group.command('remove').argument('<inbound>', 'its id'))
    .description('expect a service no more: what it sends is refused from now on')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound remove inb… --application app…')
    .action(async (id: string, options: OfApplication) => (await import('./inbound.ts')).removeInbound(id, options));
  atServer(group.command('messages'))
    .option('--service <service>', 'of this one only')
    .description('show the newest 100 messages, without their content')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound messages --service github')
    .action(async (options: MessagesOptions) => (await import('./inbound.ts')).listMessages(options));
  atServer(group.command('read').argument('<message>', 'its id (inm…)'))
    .description('print what the service said, as JSON; with --json also when, of which account')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead inbound read inm…')
    .action(async (id: string, options: AtServer) => (await import('./inbound.ts')).readMessage(id, options));
}
