import type { Command } from 'commander';
import type { ListJobsOptions, OfInstalledApp } from './function-jobs.ts';

/** `functions jobs`: what waits for functions, and trying again what has failed. */
export function addJobCommands(functions: Command, atServer: (command: Command) => Command): void {
  const group = functions
    .command('jobs')
    .description('what queues, schedules and events have left for functions: look, and try again what has failed')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions jobs list notes --application app… --status failed');
  atServer(group.command('list').argument('<app>', 'its key').requiredOption('--application <id>', 'for which the App is installed (app…)'))
    .option('--environment <name>', 'in which they run', 'production')
    .option('--status <status>', 'waiting, running, done, failed or cancelled')
    .option('--source <source>', 'queue, schedule or event')
    .description('show the newest 100 jobs and how they fare; what is done is kept for an hour, what failed for 14 days')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions jobs list notes --application app… --status failed')
    .action(async (app: string, options: ListJobsOptions) => (await import('./function-jobs.ts')).listJobs(app, options));
  atServer(
    group
      .command('retry')
      .argument('<app>', 'its key')
      .argument('<job>', 'its id (job…)')
      .requiredOption('--application <id>', 'for which the App is installed (app…)'),
  )
    .description('have a job that has failed run again at once, with all its attempts, under the same id')
    .addHelpText('after', '\nExample:\n  $ npx bulkhead functions jobs retry notes job… --application app…')
    .action(async (app: string, id: string, options: OfInstalledApp) => (await import('./function-jobs.ts')).retryJob(app, id, options));
}
