import type { Command } from 'commander';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('say what this machine brings for Bulkhead and for functions of Apps, part by part, and what to do about what is missing')
    .option('--json', 'answer as JSON')
    .addHelpText(
      'after',
      `
Looks at Node, PostgreSQL, disk, port, and each part of the jail that functions run in; builds the jail once and times a few
starts in it. Reads the settings that "npx bulkhead start" would read (docs/reference/config.md), and changes nothing.
Exit codes: 0 all there, 1 something that is needed is missing, 2 a setting cannot be used.

Examples:
  $ npx bulkhead doctor
  $ BULKHEAD_SANDBOX=process npx bulkhead doctor --json`,
    )
    .action(async (options: { readonly json?: true }) => (await import('./doctor.ts')).doctor(options));
}
