import { type AnyRoute, httpErrors } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { findAnyInstall } from '../installs/index.ts';
import { invocationAnswer, invocationShape, invokeBody, loggedCallShape, logsAnswer, logsQuery } from './function-messages.ts';
import { listEnded } from './invocation-store.ts';
import { assertMayActFor } from './act-for-user.ts';
import { callFunction, type CallingParts, findCallable } from './call-function.ts';

const ofInstall = '/v1/meta/applications/{application_id}/installs/{app_key}';
const installParams = z.object({ application_id: z.string(), app_key: z.string().max(80) });

/** Functions of Apps, as an organization calls them. */
export function functionRoutes(parts: CallingParts): AnyRoute[] {
  const { db, vault } = parts;
  return [
    route({
      id: 'function.invoke',
      method: 'POST',
      path: `${ofInstall}/invoke`,
      summary: 'Call a function of an installed App for this Application, and wait for its end',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.invoked',
      params: installParams,
      body: invokeBody,
      answers: { 200: invocationAnswer },
      handler: async (context, { params: { app_key: appKey }, body }) => {
        const { applicationId, now } = context;
        const { organizationId } = context.principal;
        const { environment, function: functionKey, payload } = body;
        const callable = await findCallable(db, { applicationId, organizationId, appKey, environment, functionKey });
        const userId = body.end_user ?? null;
        if (userId !== null) await db.withTenant(applicationId, (tx) => assertMayActFor(tx, appKey, userId));
        const invoked = await callFunction(parts, callable, {
          payload,
          now,
          userId,
          onBegin: (tx, target) =>
            audit(tx, context, {
              target,
              detail: {
                client_key: callable.clientKey,
                environment,
                function: functionKey,
                ...(userId === null ? {} : { end_user: userId }),
              },
            }),
        });
        return { status: 200, body: invocationShape(functionKey, invoked) };
      },
    }),
    route({
      id: 'function.logs',
      method: 'GET',
      path: `${ofInstall}/logs`,
      summary: 'Read what the functions of an installed App wrote, call by call in the order in which they ended',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: installParams,
      query: logsQuery,
      answers: { 200: logsAnswer },
      handler: async ({ applicationId }, { params: { app_key: appKey }, query }) =>
        db.withTenant(applicationId, async (tx) => {
          const install = await findAnyInstall(tx, applicationId, appKey);
          if (install === null) throw httpErrors('not_found');
          const { environment, page_size: limit } = query;
          const after = Number(query.cursor ?? 0);
          const calls = await listEnded(tx, vault, { clientKey: install.clientKey, environment, after, limit });
          const cursor = String(calls.at(-1)?.ordinal ?? after);
          return { status: 200, body: { cursor, remaining: calls.length === limit, objects: calls.map(loggedCallShape) } };
        }),
    }),
  ];
}
