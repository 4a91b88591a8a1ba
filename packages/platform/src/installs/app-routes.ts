import { type AnyRoute, type Egress, httpErrors, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { auditOrganization } from '../audit/index.ts';
import { appAnswer, appBody, appShape } from './app-messages.ts';
import { deleteApp, findApp, listApps } from './app-store.ts';
import { installErrors } from './install-errors.ts';
import { registerApp } from './register-app.ts';

/** The Apps of an organization: what may be installed into its Applications. */
export function appRoutes({ db, egress, publicUrl }: { db: Database; egress: Egress; publicUrl: () => string }): AnyRoute[] {
  return [
    route({
      id: 'app.register',
      method: 'POST',
      path: '/v1/meta/apps',
      summary: 'Register an App by its descriptor, or replace the descriptor of one that is registered',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'app.registered',
      body: appBody,
      answers: { 200: appAnswer, 201: appAnswer },
      handler: async (context, { body }) => {
        const given = body.descriptor_url === undefined ? { descriptor: body.descriptor } : { url: body.descriptor_url };
        const { app, isNew, warnings } = await registerApp({ db, egress }, context, given);
        return { status: isNew ? 201 : 200, body: appShape(app, publicUrl(), warnings) };
      },
    }),
    route({
      id: 'app.list',
      method: 'GET',
      path: '/v1/meta/apps',
      summary: 'List the Apps of the organization',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      query: z.object(pageQuery),
      answers: { 200: objectList(appAnswer) },
      handler: async ({ principal: { organizationId } }, { query }) => {
        const page = await db.withOrganization(organizationId, (tx) => listApps(tx, organizationId, query));
        if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
        return { status: 200, body: listAnswer(page, query, 'meta', (app) => appShape(app, publicUrl())) };
      },
    }),
    route({
      id: 'app.get',
      method: 'GET',
      path: '/v1/meta/apps/{app_key}',
      summary: 'Retrieve an App',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: z.object({ app_key: z.string().max(80) }),
      answers: { 200: appAnswer },
      handler: async ({ principal: { organizationId } }, { params }) => {
        const app = await db.withOrganization(organizationId, (tx) => findApp(tx, organizationId, params.app_key));
        if (app === null) throw httpErrors('not_found');
        return { status: 200, body: appShape(app, publicUrl()) };
      },
    }),
    route({
      id: 'app.delete',
      method: 'DELETE',
      path: '/v1/meta/apps/{app_key}',
      summary: 'Remove an App that is installed nowhere any more: its descriptor is forgotten, and it can be registered anew',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'app.removed',
      params: z.object({ app_key: z.string().max(80) }),
      answers: { 204: null },
      handler: async (context, { params: { app_key: appKey } }) => {
        const { organizationId } = context.principal;
        await db.withSystem('remove an App that is installed nowhere', async (tx) => {
          const outcome = await deleteApp(tx, { organizationId, appKey, now: context.now });
          if (outcome.kind === 'missing') throw httpErrors('not_found');
          if (outcome.kind === 'installed')
            throw installErrors('app.installed', {
              params: { app_key: appKey, installs: outcome.installs, application: outcome.applicationId },
            });
          await auditOrganization(tx, context, organizationId, { target: appKey });
        });
        return { status: 204 };
      },
    }),
  ];
}
