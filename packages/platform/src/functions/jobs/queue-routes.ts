import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { jobSourceKey } from '@bulkhead/protocol';
import { z } from 'zod';
import { type InvocationPrincipal, type RequestContext, route } from '../../access/index.ts';
import { enterInstall, type InstallTx } from '../../installs/index.ts';
import type { Vault } from '../../vault/index.ts';
import { findVersion } from '../deployment-store.ts';
import { functionErrors } from '../function-errors.ts';
import { DEFAULT_CONCURRENCY, DEFAULT_JOB_LIMITS, DEFAULT_RETRIES, JOB_STATUSES, type JobLimits, pushIds } from './job.ts';
import { insertJobs, tellJobs } from './job-store.ts';
import { cancelWaiting, countByStatus, countJobs } from './queue-store.ts';

const MINUTE_MS = 60_000;

const jobsId = z.string().max(100).meta({ description: 'Of a job, or of a push.' });
const queueCall = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('push'),
    queue: jobSourceKey,
    jobs: z
      .array(z.strictObject({ payload: z.unknown().optional(), delay_seconds: z.int().min(0).optional() }))
      .min(1)
      .max(1_000),
  }),
  z.strictObject({ op: z.literal('stats'), queue: jobSourceKey, id: jobsId }),
  z.strictObject({ op: z.literal('cancel'), queue: jobSourceKey, id: jobsId }),
]);

const count = z.int();
const queueAnswer = z.object({
  id: z.string().optional().meta({ description: 'Of the push.' }),
  jobs: z.array(z.string()).optional(),
  stats: z.object({ waiting: count, running: count, done: count, failed: count, cancelled: count }).optional(),
  cancelled: z.int().optional(),
});

/** For the runner: jobs that a running call pushes for its own install and environment, and what became of them. */
export function queueRoutes({ db, vault, jobLimits }: { db: Database; vault: Vault; jobLimits?: Partial<JobLimits> }): AnyRoute[] {
  const limits = { ...DEFAULT_JOB_LIMITS, ...jobLimits };
  return [
    route({
      credentials: ['invocation'],
      scope: null,
      rateClass: 'api',
      audit: null,
      id: 'function_runner.queue',
      method: 'POST',
      path: '/internal/functions/queue',
      summary: 'For the runner: jobs of the running call, for functions of its install and environment',
      idempotent: false,
      body: queueCall,
      answers: { 200: queueAnswer },
      handler: async (context, { body }) => {
        const { principal, applicationId } = context;
        const queue = await declaredQueue(principal, body.queue);
        const answer = await db.withTenant(applicationId, async (tx) => {
          const own = await enterInstall(tx, principal.clientKey);
          if (body.op === 'push') return push(own, context, queue, body.jobs);
          const jobs = { environment: principal.environment, queue: body.queue, id: body.id };
          const found = await countByStatus(own, jobs);
          if (Object.keys(found).length === 0) throw httpErrors('not_found');
          if (body.op === 'cancel') return { cancelled: await cancelWaiting(own, jobs, context.now) };
          return { stats: { ...zero, ...found } };
        });
        return { status: 200, body: answer };
      },
    }),
  ];

  async function declaredQueue({ organizationId, appKey, environment, version }: InvocationPrincipal, key: string) {
    const deployment = await db.withOrganization(organizationId, (tx) => findVersion(tx, { organizationId, appKey, environment, version }));
    const found = deployment?.manifest.queues?.find((queue) => queue.key === key);
    if (found === undefined) throw functionErrors('function.queue_unknown', { field: 'queue', params: { queue: key } });
    return found;
  }

  async function push(
    tx: InstallTx,
    { principal, now }: RequestContext<InvocationPrincipal>,
    queue: Awaited<ReturnType<typeof declaredQueue>>,
    pushed: readonly { readonly payload?: unknown; readonly delay_seconds?: number | undefined }[],
  ): Promise<z.input<typeof queueAnswer>> {
    const refuse = (field: string, problem: string) => httpErrors('request.invalid', { field, params: { problem } });
    if (pushed.length > limits.pushMax) throw refuse('jobs', `at most ${limits.pushMax} at a time`);
    if (Buffer.byteLength(JSON.stringify(pushed)) > limits.pushBytesMax + pushed.length * FRAME_BYTES)
      throw refuse('jobs', `at most ${limits.pushBytesMax} bytes of JSON`);
    if (pushed.some(({ delay_seconds: delay = 0 }) => delay > limits.delaySecondsMax))
      throw refuse('jobs.delay_seconds', `at most ${limits.delaySecondsMax}`);
    if (principal.jobDepth >= limits.depthMax) throw functionErrors('function.jobs_in_circles', { params: { limit: limits.depthMax } });

    const { environment } = principal;
    const since = new Date(now.getTime() - MINUTE_MS);
    const counted = await countJobs(tx, { environment, since, waitingMax: limits.waitingMax });
    if (counted.pushed + pushed.length > limits.pushedPerMinute)
      throw functionErrors('function.jobs_too_fast', { params: { limit: limits.pushedPerMinute }, retryAfterSeconds: 30 });
    if (counted.waiting + pushed.length > limits.waitingMax)
      throw functionErrors('function.jobs_full', { params: { limit: limits.waitingMax }, retryAfterSeconds: 60 });

    const pushId = pushIds.generate();
    const { applicationId, clientKey } = tx;
    const jobs = await insertJobs(
      tx,
      { applicationId, seal: await vault.sealer(tx, applicationId) },
      pushed.map(({ payload = null, delay_seconds: delay = 0 }) => ({
        clientKey,
        environment,
        source: 'queue',
        sourceKey: queue.key,
        functionKey: queue.function,
        pushId,
        retries: queue.retries ?? DEFAULT_RETRIES.queue,
        concurrency: queue.concurrency ?? DEFAULT_CONCURRENCY,
        depth: principal.jobDepth + 1,
        content: { payload },
        runAt: new Date(now.getTime() + delay * 1_000),
        now,
      })),
    );
    await tellJobs(tx);
    return { id: pushId, jobs };
  }
}

/** What a job has around its payload in a request. */
const FRAME_BYTES = 40;
const zero = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as Record<(typeof JOB_STATUSES)[number], number>;
