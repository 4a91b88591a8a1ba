import type { ApplicationId } from '@bulkhead/base';
import { type AnyRoute, httpErrors, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import { LIFECYCLE_EVENTS } from '@bulkhead/protocol';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { listDeliveries } from '../deliveries/index.ts';
import type { AppInstall, InstallStatus } from './app.ts';
import { installAnswer, installBody, installShape, lifecycleCallAnswer, lifecycleCallShape } from './app-messages.ts';
import { appWebhookLane, webhookModules } from './app-webhooks.ts';
import { changeInstall } from './change-install.ts';
import { installApp, type InstallingParts } from './install-app.ts';
import { findAnyInstall, findInstall, listInstalls } from './install-store.ts';
import { tenantBaseUrl } from './lifecycle-call.ts';
import { lifecycleLane } from './lifecycle-deliveries.ts';

const collection = '/v1/meta/applications/{application_id}/installs';
const one = z.object({ application_id: z.string(), app_key: z.string().max(80) });

/** The installs of an Application, as whoever owns it sees and changes them. */
export function installRoutes(parts: InstallingParts): AnyRoute[] {
  const { db, publicUrl } = parts;
  const shape = (install: AppInstall, applicationId: ApplicationId) =>
    installShape(install, { base: publicUrl(), applicationId, hostUrl: tenantBaseUrl(publicUrl(), applicationId) });
  const change = (verb: string, to: InstallStatus, action: string, summary: string): AnyRoute =>
    route({
      id: `install.${verb}`,
      method: 'POST',
      path: `${collection}/{app_key}/${verb}`,
      summary,
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: action,
      params: one,
      answers: { 200: installAnswer },
      handler: async (context, { params }) => {
        const install = await changeInstall(parts, context, { appKey: params.app_key, to });
        return { status: 200, body: shape(install, context.applicationId) };
      },
    });
  return [
    route({
      id: 'install.create',
      method: 'POST',
      path: collection,
      summary: 'Install an App into an Application, or install it again with a new secret; answers once the App has accepted',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'install.created',
      params: z.object({ application_id: z.string() }),
      body: installBody,
      answers: { 200: installAnswer, 201: installAnswer },
      handler: async (context, { body }) => {
        const { install, isNew } = await installApp(parts, context, { appKey: body.app_key, scopes: body.scopes });
        return { status: isNew ? 201 : 200, body: shape(install, context.applicationId) };
      },
    }),
    route({
      id: 'install.list',
      method: 'GET',
      path: collection,
      summary: 'List the Apps installed into an Application',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: z.object({ application_id: z.string() }),
      query: z.object(pageQuery),
      answers: { 200: objectList(installAnswer) },
      handler: async (context, { query }) => {
        const { applicationId } = context;
        const page = await db.withTenant(applicationId, (tx) => listInstalls(tx, applicationId, query));
        if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
        return { status: 200, body: listAnswer(page, query, 'meta', (install) => shape(install, applicationId)) };
      },
    }),
    route({
      id: 'install.get',
      method: 'GET',
      path: `${collection}/{app_key}`,
      summary: 'Retrieve an install',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: one,
      answers: { 200: installAnswer },
      handler: async ({ applicationId }, { params }) => {
        const install = await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, params.app_key));
        if (install === null) throw httpErrors('not_found');
        return { status: 200, body: shape(install, applicationId) };
      },
    }),
    route({
      id: 'install.deliveries',
      method: 'GET',
      path: `${collection}/{app_key}/deliveries`,
      summary:
        'List the calls to an App, of its lifecycle and of its webhooks, and what came of them, the newest first; also of one that is uninstalled or was refused',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: one,
      query: z.object(pageQuery),
      answers: { 200: objectList(lifecycleCallAnswer) },
      handler: async ({ applicationId }, { params, query }) => {
        const page = await db.withTenant(applicationId, async (tx) => {
          const install = await findAnyInstall(tx, applicationId, params.app_key);
          if (install === null) throw httpErrors('not_found');
          const { clientKey } = install;
          const lanes = [
            ...LIFECYCLE_EVENTS.map((event) => lifecycleLane(clientKey, event)),
            ...webhookModules(install).map((module) => appWebhookLane(clientKey, module)),
          ];
          return listDeliveries(tx, applicationId, lanes, query);
        });
        return { status: 200, body: listAnswer(page, query, 'meta', lifecycleCallShape) };
      },
    }),
    change('enable', 'enabled', 'install.enabled', 'Enable an App that is disabled'),
    change('disable', 'disabled', 'install.disabled', 'Disable an App: it stays installed, and its tokens are refused'),
    route({
      id: 'install.delete',
      method: 'DELETE',
      path: `${collection}/{app_key}`,
      summary: 'Uninstall an App: its tokens are refused at once, and it is told',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'install.deleted',
      params: one,
      answers: { 204: null },
      handler: async (context, { params }) => {
        await changeInstall(parts, context, { appKey: params.app_key, to: 'uninstalled' });
        return { status: 204 };
      },
    }),
  ];
}
