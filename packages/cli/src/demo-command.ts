import type { Command } from 'commander';

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('walk through the product in the terminal: two customers, every request as a curl line, every answer checked')
    .addHelpText(
      'after',
      `
It starts a Bulkhead of its own in a temporary folder, beside whatever runs here, and leaves nothing behind.
Exit code 0 only if every answer was the expected one. To click through it instead: npx bulkhead start --demo

Example:
  $ npx bulkhead demo`,
    )
    .action(async () => (await import('./demo.ts')).demo());
}
