import { type AnyRoute, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { environmentName } from '@bulkhead/protocol';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { assertApp, findDeployment } from './deployment-store.ts';
import { countEnvironmentInstalls, listWaitingInstalls } from './environment-install-store.ts';
import { appEnvironmentAnswer, appEnvironmentShape, waitingInstallAnswer, waitingInstallShape } from './environment-messages.ts';
import { listEnvironments } from './environment-store.ts';
import { removeEnvironment } from './remove-environment.ts';
import { whole } from './variable-routes.ts';

const path = '/v1/meta/apps/{app_key}/environments';
const one = z.object({ app_key: z.string().max(80), environment: environmentName });

/** The environments of an App, across all Applications of the organization. */
export function appEnvironmentRoutes({ db }: { db: Database }): AnyRoute[] {
  const reads = { credentials: ['meta_token'], scope: 'applications:read', rateClass: 'meta', audit: null } as const;
  return [
    route({
      ...reads,
      id: 'app_environment.list',
      method: 'GET',
      path,
      summary: 'List the environments of an App: what is deployed and set in each, how many installs are in it, and how many wait',
      params: z.object({ app_key: z.string().max(80) }),
      answers: { 200: objectList(appEnvironmentAnswer) },
      handler: async ({ principal: { organizationId } }, { params: { app_key: appKey } }) => {
        const seen = await db.withOrganization(organizationId, async (tx) => {
          await assertApp(tx, { organizationId, appKey });
          return listEnvironments(tx, { organizationId, appKey });
        });
        const objects = await db.withSystem('count the installs in environments', async (tx) => {
          const shown = [];
          for (const environment of seen) {
            const of = { organizationId, appKey, environment: environment.environment };
            shown.push(appEnvironmentShape(environment, await countEnvironmentInstalls(tx, of, environment.permissions)));
          }
          return shown;
        });
        return { status: 200, body: whole(objects) };
      },
    }),
    route({
      id: 'app_environment.remove',
      method: 'DELETE',
      path: `${path}/{environment}`,
      summary: 'Remove an environment: its versions and variables, and what the installs in it have there',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.environment_removed',
      params: one,
      answers: { 204: null },
      handler: async (context, { params: { app_key: appKey, environment } }) => {
        await removeEnvironment(db, context, { appKey, environment });
        return { status: 204 };
      },
    }),
    route({
      ...reads,
      id: 'app_environment.waiting',
      method: 'GET',
      path: `${path}/{environment}/waiting`,
      summary: 'List the installs for which not all is approved that the newest version requests',
      params: one,
      query: z.object(pageQuery),
      answers: { 200: objectList(waitingInstallAnswer).extend({ requested: z.array(z.string()), version: z.int().nullable() }) },
      handler: async ({ principal: { organizationId } }, { params: { app_key: appKey, environment }, query }) => {
        const of = { organizationId, appKey, environment };
        const newest = await db.withOrganization(organizationId, async (tx) => {
          await assertApp(tx, of);
          return findDeployment(tx, of);
        });
        const requested = newest?.permissions ?? [];
        const page = await db.withSystem('list installs that wait for consent', (tx) => listWaitingInstalls(tx, of, requested, query));
        const body = listAnswer(page, query, 'meta', (install) => waitingInstallShape(install, requested));
        return { status: 200, body: { ...body, requested: [...requested], version: newest?.version ?? null } };
      },
    }),
  ];
}
