import { pageQuery } from '@bulkhead/http';
import { environmentName } from '@bulkhead/protocol';
import { z } from 'zod';
import { type Job, JOB_STATUSES } from './job.ts';

const source = z.enum(['queue', 'schedule', 'event']);

export const jobsQuery = z.object({
  ...pageQuery,
  environment: environmentName.default('production'),
  status: z.enum(JOB_STATUSES).optional(),
  source: source.optional(),
});

export const jobAnswer = z.object({
  id: z.string(),
  environment: z.string(),
  source,
  key: z.string().meta({ description: 'Of the queue, schedule or trigger in the manifest.' }),
  function: z.string(),
  push_id: z.string().nullable(),
  status: z.enum(JOB_STATUSES).meta({ description: 'What is done or cancelled is forgotten after an hour, what failed after 14 days.' }),
  attempts: z.int().meta({ description: 'That came to an end, since it was written or last tried again by hand.' }),
  attempts_max: z.int(),
  outcome: z
    .string()
    .nullable()
    .meta({ description: 'Of the last attempt, in a word: `ok`, `retry`, `threw`, `timeout`, `busy`, `lost` …' }),
  invocation_id: z.string().nullable().meta({ description: 'The call in whose log the rest stands.' }),
  next_attempt: z.iso.datetime().nullable(),
  created: z.iso.datetime(),
  finished: z.iso.datetime().nullable(),
  type: z.literal('function_job'),
  api: z.literal('meta'),
});

export function jobShape(job: Job): z.input<typeof jobAnswer> {
  return {
    id: job.jobId,
    environment: job.environment,
    source: job.source,
    key: job.sourceKey,
    function: job.functionKey,
    push_id: job.pushId,
    status: job.status,
    attempts: job.attempts,
    attempts_max: job.attemptsMax,
    outcome: job.outcome,
    invocation_id: job.invocationId,
    next_attempt: job.nextAttemptAt?.toISOString() ?? null,
    created: job.createdAt.toISOString(),
    finished: job.finishedAt?.toISOString() ?? null,
    type: 'function_job',
    api: 'meta',
  };
}
