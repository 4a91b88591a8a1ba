import { type AnyRoute, httpErrors, objectList } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { leave, PRODUCTION } from './environment-install-store.ts';
import { approvalBody, installEnvironmentAnswer, installEnvironmentShape, ofInstallEnvironment } from './environment-messages.ts';
import { functionErrors } from './function-errors.ts';
import { approveEnvironment, installed, installEnvironment, installEnvironments } from './install-environments.ts';
import { whole } from './variable-routes.ts';

const ofInstall = '/v1/meta/applications/{application_id}/installs/{app_key}/environments';
const one = `${ofInstall}/{environment}`;

/** Which environments an install is in, and what was approved for it there. */
export function environmentRoutes({ db }: { db: Database }): AnyRoute[] {
  const reads = { credentials: ['meta_token'], scope: 'applications:read', rateClass: 'meta', audit: null } as const;
  const writes = { credentials: ['meta_token'], scope: 'applications:write', rateClass: 'meta' } as const;
  return [
    route({
      ...reads,
      id: 'function_environment.list',
      method: 'GET',
      path: ofInstall,
      summary: 'List the environments an install is in: which version of the functions runs for it, and what waits for approval',
      params: z.object({ application_id: z.string(), app_key: z.string().max(80) }),
      answers: { 200: objectList(installEnvironmentAnswer) },
      handler: async (context, { params }) => {
        const environments = await installEnvironments(db, context, params.app_key);
        return { status: 200, body: whole(environments.map(installEnvironmentShape)) };
      },
    }),
    route({
      ...reads,
      id: 'function_environment.get',
      method: 'GET',
      path: one,
      summary: 'Retrieve one: what the newest version requests, and what of it was approved for this install',
      params: ofInstallEnvironment,
      answers: { 200: installEnvironmentAnswer },
      handler: async (context, { params: { app_key: appKey, environment } }) => ({
        status: 200,
        body: installEnvironmentShape(await installEnvironment(db, context, { appKey, environment })),
      }),
    }),
    route({
      ...writes,
      id: 'function_environment.approve',
      method: 'PUT',
      path: one,
      summary: 'Approve for an install exactly what the newest version requests; the install joins the environment with it',
      audit: 'function.approved',
      params: ofInstallEnvironment,
      body: approvalBody,
      answers: { 200: installEnvironmentAnswer },
      handler: async (context, { params: { app_key: appKey, environment }, body: { permissions } }) => ({
        status: 200,
        body: installEnvironmentShape(await approveEnvironment(db, context, { appKey, environment, permissions })),
      }),
    }),
    route({
      ...writes,
      id: 'function_environment.leave',
      method: 'DELETE',
      path: one,
      summary: 'Take an install out of an environment, with what was approved and set for it there; what its functions keep there stays',
      audit: 'function.environment_left',
      params: ofInstallEnvironment,
      answers: { 204: null },
      handler: async (context, { params: { app_key: appKey, environment } }) => {
        const { applicationId } = context;
        await db.withTenant(applicationId, async (tx) => {
          const { clientKey } = await installed(tx, applicationId, appKey);
          if (environment === PRODUCTION) throw functionErrors('function.production_stays');
          if (!(await leave(tx, clientKey, environment))) throw httpErrors('not_found');
          await audit(tx, context, { target: appKey, detail: { client_key: clientKey, environment } });
        });
        return { status: 204 };
      },
    }),
  ];
}
