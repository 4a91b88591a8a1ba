import { type AnyRoute, httpErrors, listAnswer, objectList } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../../access/index.ts';
import { audit } from '../../audit/index.ts';
import { findAnyInstall } from '../../installs/index.ts';
import { functionErrors } from '../function-errors.ts';
import { listJobs, retryJob } from './job-list-store.ts';
import { jobAnswer, jobShape, jobsQuery } from './job-messages.ts';

const ofInstall = '/v1/meta/applications/{application_id}/installs/{app_key}';
const installParams = { application_id: z.string(), app_key: z.string().max(80) };

/** Jobs of functions, as an organization sees them, and trying again what has failed. */
export function jobRoutes({ db }: { db: Database }): AnyRoute[] {
  return [
    route({
      id: 'function_job.list',
      method: 'GET',
      path: `${ofInstall}/jobs`,
      summary: 'List what waits for the functions of an installed App, runs, or ran lately',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: z.object(installParams),
      query: jobsQuery,
      answers: { 200: objectList(jobAnswer) },
      handler: async ({ applicationId }, { params: { app_key: appKey }, query }) =>
        db.withTenant(applicationId, async (tx) => {
          const page = await listJobs(tx, await clientKeyOf(tx, appKey), query);
          return { status: 200, body: listAnswer(page, query, 'meta', jobShape) };
        }),
    }),
    route({
      id: 'function_job.retry',
      method: 'POST',
      path: `${ofInstall}/jobs/{job_id}/retry`,
      summary: 'Have a job that has failed run again, with all its attempts, under the same id',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function_job.retried',
      params: z.object({ ...installParams, job_id: z.string().max(100) }),
      answers: { 202: jobAnswer },
      handler: async (context, { params: { app_key: appKey, job_id: jobId } }) =>
        db.withTenant(context.applicationId, async (tx) => {
          const clientKey = await clientKeyOf(tx, appKey);
          const job = await retryJob(tx, clientKey, jobId, context.now);
          if (job === null) throw httpErrors('not_found');
          if (job === 'not_over') throw functionErrors('function.job_not_over');
          await audit(tx, context, {
            target: jobId,
            detail: { client_key: clientKey, environment: job.environment, function: job.functionKey },
          });
          return { status: 202, body: jobShape(job) };
        }),
    }),
  ];

  async function clientKeyOf(tx: TenantTx, appKey: string): Promise<string> {
    const install = await findAnyInstall(tx, tx.applicationId, appKey);
    if (install === null) throw httpErrors('not_found');
    return install.clientKey;
  }
}
