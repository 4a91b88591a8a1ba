import { type AnyRoute, httpErrors, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import { environmentName } from '@bulkhead/protocol';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { deployFunctions, type DeployingParts, rollBack } from './deploy-functions.ts';
import { deploymentAnswer, deploymentBody, deploymentShape, rollbackBody, switchedAnswer, switchedShape } from './deployment-messages.ts';
import { assertApp, listDeployments } from './deployment-store.ts';

const path = '/v1/meta/apps/{app_key}/deployments';
const params = z.object({ app_key: z.string().max(80) });

/** The versions of an App's functions, as an organization deploys them and goes back. */
export function deploymentRoutes(parts: DeployingParts): AnyRoute[] {
  const { db } = parts;
  return [
    route({
      id: 'function.deploy',
      method: 'POST',
      path,
      summary: 'Deploy the functions of an App to an environment: the code is started once, then runs wherever all it requests is approved',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.deployed',
      params,
      body: deploymentBody,
      answers: { 201: switchedAnswer },
      handler: async (context, { params: { app_key: appKey }, body }) => ({
        status: 201,
        body: switchedShape(await deployFunctions(parts, context, { appKey, ...body })),
      }),
    }),
    route({
      id: 'function.rollback',
      method: 'POST',
      path: `${path}/rollback`,
      summary: 'Go back to the version before, or to a named one; what came after it runs for nobody',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.rolled_back',
      params,
      body: rollbackBody,
      answers: { 200: switchedAnswer },
      handler: async (context, { params: { app_key: appKey }, body: { environment, version } }) => ({
        status: 200,
        body: switchedShape(await rollBack(parts, context, { appKey, environment, version })),
      }),
    }),
    route({
      id: 'function.deployments',
      method: 'GET',
      path,
      summary: 'List the versions of the functions of an App, the newest first',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params,
      query: z.object({ ...pageQuery, environment: environmentName.optional() }),
      answers: { 200: objectList(deploymentAnswer) },
      handler: async ({ principal: { organizationId } }, { params: { app_key: appKey }, query }) => {
        const environment = query.environment ?? null;
        const page = await db.withOrganization(organizationId, async (tx) => {
          await assertApp(tx, { organizationId, appKey });
          return listDeployments(tx, { organizationId, appKey, environment }, query);
        });
        if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
        return { status: 200, body: listAnswer(page, query, 'meta', deploymentShape) };
      },
    }),
  ];
}
