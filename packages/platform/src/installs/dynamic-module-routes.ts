import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { z } from 'zod';
import { type InstallPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import type { AppInstall } from './app.ts';
import { lockInstall, writeDynamicModules } from './dynamic-module-store.ts';
import { dynamicKeys, onlyDynamic, withAdded } from './dynamic-modules.ts';
import { findInstall } from './install-store.ts';

const path = '/t/{application_id}/rest/atlassian-connect/{version}/app/module/dynamic';
const params = z.object({ application_id: z.string(), version: z.enum(['1', 'latest']) });
const webhook = z.object({ key: z.string(), event: z.string(), url: z.string(), excludeBody: z.boolean().optional() });
const pages = z.array(z.looseObject({ key: z.string() })).optional();
const listed = z.object({
  webhooks: z.array(webhook),
  generalPages: pages,
  adminPages: pages,
  webPanels: pages,
  webItems: pages,
  dialogs: pages,
});

type AppContext = RequestContext<InstallPrincipal>;

/** Modules that an App adds to one of its installs while it runs (REST of Atlassian Connect): webhooks, and what is shown. Needs no scope of its own. */
export function dynamicModuleRoutes({ db }: { db: Database }): AnyRoute[] {
  const own = async (tx: TenantTx, { applicationId, principal }: AppContext): Promise<AppInstall> => {
    const install = await findInstall(tx, applicationId, principal.appKey);
    if (install === null) throw httpErrors('not_found');
    return install;
  };
  const common = { credentials: ['install'], scope: null, rateClass: 'api', path } as const;
  return [
    route({
      ...common,
      id: 'dynamic_module.list',
      method: 'GET',
      summary: 'List the modules that an App has added to this install',
      audit: null,
      params,
      answers: { 200: listed },
      handler: async (context) => {
        const { dynamicModules } = await db.withTenant(context.applicationId, (tx) => own(tx, context));
        return { status: 200, body: { webhooks: [], ...dynamicModules } };
      },
    }),
    route({
      ...common,
      id: 'dynamic_module.create',
      method: 'POST',
      summary: 'Add modules to this install, of the form they have in a descriptor; all of them or none',
      audit: 'dynamic_module.created',
      idempotent: false,
      params,
      body: z.looseObject({}),
      answers: { 204: null },
      handler: async (context, { body }) => {
        await db.withTenant(context.applicationId, async (tx) => {
          await lockInstall(tx, context.principal.clientKey);
          const modules = withAdded(await own(tx, context), body);
          await writeDynamicModules(tx, { clientKey: context.principal.clientKey, modules, now: context.now });
          await audit(tx, context, { target: context.principal.appKey, detail: { keys: dynamicKeys(modules) } });
        });
        return { status: 204 };
      },
    }),
    route({
      ...common,
      id: 'dynamic_module.delete',
      method: 'DELETE',
      summary: 'Take away modules that were added, those named by moduleKey or all',
      audit: 'dynamic_module.deleted',
      params,
      query: z.object({ moduleKey: z.union([z.string(), z.array(z.string()).max(100)]).optional() }),
      answers: { 204: null },
      handler: async (context, { query: { moduleKey } }) => {
        await db.withTenant(context.applicationId, async (tx) => {
          await lockInstall(tx, context.principal.clientKey);
          const { dynamicModules } = await own(tx, context);
          const named = moduleKey === undefined ? null : new Set([moduleKey].flat());
          await writeDynamicModules(tx, {
            clientKey: context.principal.clientKey,
            modules: onlyDynamic(dynamicModules, (key) => named !== null && !named.has(key)),
            now: context.now,
          });
          await audit(tx, context, { target: context.principal.appKey });
        });
        return { status: 204 };
      },
    }),
  ];
}
