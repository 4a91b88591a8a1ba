import { ApiCaller, type AtServer } from './call-api.ts';
import { printJson } from './print.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface OfInstalledApp extends AtServer {
  readonly application: string;
}
export interface ListJobsOptions extends OfInstalledApp {
  readonly environment: string;
  readonly status?: string;
  readonly source?: string;
}

interface Job {
  readonly id: string;
  readonly source: string;
  readonly key: string;
  readonly function: string;
  readonly status: string;
  readonly attempts: number;
  readonly attempts_max: number;
  readonly outcome: string | null;
  readonly next_attempt: string | null;
  readonly created: string;
}

const STATUSES = ['waiting', 'running', 'done', 'failed', 'cancelled'];
const SOURCES = ['queue', 'schedule', 'event'];

const pathOf = (app: string, { application }: OfInstalledApp): string =>
  `/v1/meta/applications/${encodeURIComponent(application)}/installs/${encodeURIComponent(app)}/jobs`;

/** Shows the newest 100 jobs of an installed App. */
export async function listJobs(app: string, options: ListJobsOptions): Promise<void> {
  const { environment, status, source } = options;
  if (status !== undefined && !STATUSES.includes(status)) throw new UsageError(`--status: expected one of ${STATUSES.join(', ')}.`);
  if (source !== undefined && !SOURCES.includes(source)) throw new UsageError(`--source: expected one of ${SOURCES.join(', ')}.`);
  const query = new URLSearchParams({
    environment,
    page_size: '100',
    ...(status === undefined ? {} : { status }),
    ...(source === undefined ? {} : { source }),
  });
  const { objects } = await new ApiCaller('META_TOKEN', options).call<{ objects: Job[] }>('GET', `${pathOf(app, options)}?${query}`);
  if (options.json) return printJson(objects);
  const rows = objects.map((job) => [
    job.id,
    job.created,
    `${job.source} ${job.key}`,
    job.function,
    job.status,
    `${job.attempts}/${job.attempts_max}`,
    printable(job.outcome ?? '-'),
    job.next_attempt ?? '-',
  ]);
  const headings = ['ID', 'CREATED', 'OF', 'FUNCTION', 'STATUS', 'ATTEMPTS', 'LAST', 'NEXT'];
  process.stdout.write(rows.length === 0 ? 'There is no such job.\n' : table(headings, rows));
}

/** Has a job that has failed run again, under the same id. */
export async function retryJob(app: string, id: string, options: OfInstalledApp): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const job = await api.call<Job>('POST', `${pathOf(app, options)}/${encodeURIComponent(id)}/retry`);
  if (options.json) return printJson(job);
  process.stdout.write(`Waiting again: ${job.id} (${job.source} ${job.key}), ${job.attempts_max} attempts\n`);
}
