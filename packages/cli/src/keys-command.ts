import { type Command, Option } from 'commander';
import type { RotateOptions, StatusOptions } from './keys.ts';

export function addKeysCommand(program: Command): void {
  const group = program
    .command('keys')
    .description('show and rotate the keys that secrets are sealed under')
    .addHelpText(
      'after',
      `
Works beside running servers and without one, with the settings that they run under. Nothing has to be stopped.

Examples:
  $ npx bulkhead keys status
  $ npx bulkhead keys rotate --root
  $ npx bulkhead keys rotate --data --application app…

Guide: docs/guides/rotate-keys.md`,
    );
  group
    .command('status')
    .description('show which root key is in use, what a rotation has still to do, and which deletions await one')
    .option('--json', 'answer as JSON')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead keys status --json')
    .action(async (options: StatusOptions) => (await import('./keys.ts')).showStatus(options));
  group
    .command('rotate')
    .description('put a new root key, or new data keys, into the place of the old; goes on with a rotation that was interrupted')
    .addOption(
      new Option('--root', 'the root key: every data key is wrapped anew, then the old root key is destroyed').conflicts([
        'data',
        'application',
      ]),
    )
    .option('--data', 'the data keys: every stored secret is sealed anew, then the old data keys are deleted')
    .addOption(new Option('--installs', 'the key that signs installs of Apps').conflicts(['root', 'data', 'application']))
    .option('--leaked', 'with --installs: nothing that the key before has signed is to be believed any more')
    .option('--application <id>', 'with --data: of this Application only (app…)')
    .addOption(
      new Option(
        '--keep-old',
        'with --root: put the old root key aside in the data folder, for older backups, instead of destroying it',
      ).conflicts('data'),
    )
    .option('--dry-run', 'only count what there is to do')
    .option('--json', 'answer as JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 something could not be opened (it is named, and the old key stays), 2 asked for in the wrong way.

Examples:
  $ npx bulkhead keys rotate --root --dry-run
  $ npx bulkhead keys rotate --root
  $ npx bulkhead keys rotate --data --application app…
  $ npx bulkhead keys rotate --installs`,
    )
    .action(async (options: RotateOptions) => (await import('./keys.ts')).rotateKeys(options));
}
