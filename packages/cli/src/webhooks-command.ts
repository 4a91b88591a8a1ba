import type { Command } from 'commander';
import type { DeliveriesOptions, OfApplication, ReplayOptions, RotateOptions } from './webhooks.ts';

function ofApplication(command: Command): Command {
  return command
    .requiredOption('--application <id>', 'of this Application (app…)')
    .option('--url <url>', 'of the server; API of the environment, or http://127.0.0.1:8400, if absent')
    .option('--json', 'answer as JSON');
}

export function addWebhooksCommand(program: Command): void {
  const group = program
    .command('webhooks')
    .description('what is sent to the webhooks of an Application: look, test, rotate, send again')
    .addHelpText(
      'after',
      `
Calls a running server with the Meta token in META_TOKEN. What the words mean: docs/guides/operate-deliveries.md
Exit codes: 0 done, 1 not done (also a test that was not accepted), 2 asked for in the wrong way.

Examples:
  $ npx bulkhead webhooks list --application app…
  $ npx bulkhead webhooks deliveries whk… --application app… --status failed
  $ npx bulkhead webhooks replay whk… --application app… --since 2026-01-31T00:00:00Z`,
    );
  ofApplication(group.command('list'))
    .description('show the webhooks and how they fare')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks list --application app…')
    .action(async (options: OfApplication) => (await import('./webhooks.ts')).listWebhooks(options));
  ofApplication(group.command('test').argument('<webhook>', 'its id (whk…)'))
    .description('send a test now and say what came of it')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks test whk… --application app…')
    .action(async (id: string, options: OfApplication) => (await import('./webhooks.ts')).testWebhook(id, options));
  ofApplication(group.command('rotate').argument('<webhook>', 'its id (whk…)'))
    .description('give it a new secret, which goes to standard output this once, in the form that its format uses')
    .option('--overlap <time>', 'how long the secret before signs too, such as 2h, up to 7d; 0s after a leak; a day if absent')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks rotate whk… --application app… --overlap 2h')
    .action(async (id: string, options: RotateOptions) => (await import('./webhooks.ts')).rotateWebhook(id, options));
  ofApplication(group.command('deliveries').argument('<webhook>', 'its id (whk…)'))
    .description('show the newest 100 deliveries and what came of them')
    .option('--status <status>', 'pending, delivered, failed or cancelled')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks deliveries whk… --application app… --status failed')
    .action(async (id: string, options: DeliveriesOptions) => (await import('./webhooks.ts')).listDeliveries(id, options));
  ofApplication(group.command('tail').argument('<webhook>', 'its id (whk…)'))
    .description('print each attempt at one of the newest 1,000 deliveries as it is made, until Ctrl-C')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks tail whk… --application app…')
    .action(async (id: string, options: OfApplication) => (await import('./webhooks.ts')).tailDeliveries(id, options));
  ofApplication(group.command('replay').argument('<webhook>', 'its id (whk…)').argument('[delivery]', 'the id of one delivery'))
    .description('send again: one delivery, or what was given up in a span of time')
    .option('--since <time>', 'events from this moment on, such as 2026-01-31T00:00:00Z')
    .option('--until <time>', 'events before this moment; now if absent')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead webhooks replay whk… --application app… --since 2026-01-31T00:00:00Z')
    .action(async (id: string, delivery: string | undefined, options: ReplayOptions) =>
      (await import('./webhooks.ts')).replayDeliveries(id, delivery, options),
    );
}
