import type { Command } from 'commander';
import type { RotateSecretOptions } from './function-webtriggers.ts';
import type { OfInstall } from './functions.ts';

/** `functions webtriggers …`; `ofInstall` adds the options that say where and for whom. */
export function addWebtriggersCommand(group: Command, ofInstall: (command: Command) => Command): void {
  const webtriggers = group
    .command('webtriggers')
    .description('addresses by which the functions of an installed App are called from outside')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions webtriggers list notes --application app…');
  ofInstall(webtriggers.command('list').argument('<app>', 'its key'))
    .description('list them, how callers prove themselves, and where they are')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions webtriggers list notes --application app…')
    .action(async (app: string, options: OfInstall) => (await import('./function-webtriggers.ts')).listWebtriggers(app, options));
  ofInstall(webtriggers.command('url').argument('<app>', 'its key').argument('<trigger>', 'its key in bulkhead.yml'))
    .description('print the address of one')
    .addHelpText('after', '\nExample:\n  $ curl "$(npx bulkhead functions webtriggers url notes counted --application app…)"')
    .action(async (app: string, key: string, options: OfInstall) =>
      (await import('./function-webtriggers.ts')).printWebtriggerUrl(app, key, options),
    );
  ofInstall(webtriggers.command('rotate-secret').argument('<app>', 'its key').argument('<trigger>', 'its key in bulkhead.yml'))
    .option('--overlap <duration>', 'how long the secret before counts too, 7d at most, such as 1h; 0s if it has leaked. 24h if absent')
    .description('give it a secret, the first or a new one: made here and printed once, or the one in WEBTRIGGER_SECRET')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions webtriggers rotate-secret notes counted --application app… --overlap 1h')
    .action(async (app: string, key: string, options: RotateSecretOptions) =>
      (await import('./function-webtriggers.ts')).rotateWebtriggerSecret(app, key, options),
    );
}
