import type { JsonValue } from '@bulkhead/postgres';
import { callFunction, type CallingParts } from '../call-function.ts';
import type { Deployment } from '../deployment-store.ts';
import { functionErrors } from '../function-errors.ts';
import { findRunning } from '../running-version.ts';
import { endOfCall, endOfRefusal } from './job-end.ts';
import type { ClaimedJob, JobContent, JobContext } from './job.ts';
import { type JobEnd, openJobContent } from './job-store.ts';

const NOTHING_RUNS_SECONDS = 60;

/** Makes one attempt at a job and answers what came of it. Never rejects. Nothing of the database is held while the function runs. */
export async function runJob(parts: CallingParts, job: ClaimedJob, chance: number): Promise<JobEnd> {
  const { db, vault, clock } = parts;
  const { applicationId, organizationId, clientKey } = job;
  try {
    const content = await db.withTenant(applicationId, (tx) => openJobContent(tx, vault, job));
    const running = await findRunning(db, job);
    const functionKey = running.kind === 'runs' ? functionOf(running.deployment, job) : undefined;
    if (running.kind !== 'runs' || functionKey === undefined)
      throw functionErrors('function.job_without_function', {
        params: { source: job.source, name: job.sourceKey },
        // Where nothing runs at all, because it waits to be approved, or was rolled back, that is not the job's fault.
        ...(running.kind === 'runs' ? {} : { retryAfterSeconds: NOTHING_RUNS_SECONDS }),
      });
    const { deployment } = running;
    const called = await callFunction(
      parts,
      { applicationId, organizationId, clientKey, deployment, functionKey },
      {
        payload: payloadOf(job, content),
        now: new Date(clock.now()),
        job: { depth: job.depth, context: contextOf(job, content) },
        onBegin: async () => undefined,
      },
    );
    return endOfCall(job, content, called, { now: clock.now(), chance });
  } catch (thrown) {
    return endOfRefusal(job, thrown, { now: clock.now(), chance });
  }
}

/** By the manifest that runs now: whoever moves a queue to another function moves what waits in it. */
function functionOf({ manifest }: Deployment, { source, sourceKey }: ClaimedJob): string | undefined {
  const declared = { queue: manifest.queues, schedule: manifest.schedules, event: manifest.triggers }[source];
  return declared?.find(({ key }) => key === sourceKey)?.function;
}

function payloadOf(job: ClaimedJob, content: JobContent): unknown {
  return job.source === 'queue' ? (content.payload ?? null) : (job.cause as JsonValue);
}

function contextOf(job: ClaimedJob, { retry }: JobContent): JobContext {
  return {
    id: job.jobId,
    source: job.source,
    key: job.sourceKey,
    pushId: job.pushId,
    attempt: job.attempts + 1,
    attemptsMax: job.attemptsMax,
    retry: retry ?? null,
  };
}
