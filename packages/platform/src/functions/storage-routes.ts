import type { Clock } from '@bulkhead/base';
import { ALREADY_SENT, type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { type AppInstall, enterInstall, findAnyInstall, findInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { exportStorage } from './export-storage.ts';
import { relinkStorage } from './relink-storage.ts';
import { relinkBody, storageExportQuery, storageUsageAnswer, storageUsageShape } from './storage-messages.ts';
import { listStores } from './storage-store.ts';

const base = '/v1/meta/applications/{application_id}/installs/{app_key}/storage';
const params = z.object({ application_id: z.string(), app_key: z.string().max(80) });

/** What functions keep, as an organization sees it: how much, all of it as lines, and what an uninstall has left. */
export function storageRoutes({ db, vault, clock }: { db: Database; vault: Vault; clock: Clock }): AnyRoute[] {
  const common = { credentials: ['meta_token'], rateClass: 'meta', params } as const;
  return [
    route({
      ...common,
      id: 'function_storage.usage',
      method: 'GET',
      path: base,
      summary: 'Tell how much the functions of an App keep for this Application, by environment, and what is kept from installs before',
      scope: 'applications:read',
      audit: null,
      answers: { 200: storageUsageAnswer },
      handler: async ({ applicationId, now }, { params: { app_key: appKey } }) =>
        db.withTenant(applicationId, async (tx) => {
          const { clientKey } = existing(await findAnyInstall(tx, applicationId, appKey));
          return { status: 200, body: storageUsageShape(await listStores(await enterInstall(tx, clientKey), now)) };
        }),
    }),
    route({
      ...common,
      id: 'function_storage.export',
      method: 'GET',
      path: `${base}/export`,
      summary:
        'Read all that the functions of an App keep for this Application in one environment, as lines of JSON; of secrets the keys alone',
      scope: 'applications:read',
      audit: 'function_storage.exported',
      bodyForm: 'stream',
      query: storageExportQuery,
      answers: { 200: null },
      handler: async (context, { params: { app_key: appKey }, query: { environment }, raw: { response } }) => {
        const { applicationId, requestId } = context;
        const clientKey = await db.withTenant(applicationId, async (tx) => {
          const install = existing(await findInstall(tx, applicationId, appKey));
          await audit(tx, context, { target: appKey, detail: { client_key: install.clientKey, environment } });
          return install.clientKey;
        });
        const begin = (): void =>
          void response.writeHead(200, {
            'content-type': 'application/x-ndjson',
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
            'x-request-id': requestId,
          });
        const parts = { db, vault, now: () => new Date(clock.now()) };
        await exportStorage(parts, { response, begin }, { applicationId, clientKey, appKey, environment });
        return ALREADY_SENT;
      },
    }),
    route({
      ...common,
      id: 'function_storage.relink',
      method: 'POST',
      path: `${base}/relink`,
      summary: 'Put back what the functions of an App kept before it was uninstalled, for the install of today',
      scope: 'applications:write',
      audit: 'function_storage.relinked',
      body: relinkBody,
      answers: { 200: storageUsageAnswer },
      handler: async (context, { params: { app_key: appKey }, body }) => {
        const { applicationId, now } = context;
        return db.withTenant(applicationId, async (tx: TenantTx) => {
          const { clientKey } = existing(await findInstall(tx, applicationId, appKey));
          const { storeId } = await relinkStorage(tx, { ...body, clientKey, store: body.store, now });
          const detail = { client_key: clientKey, environment: body.environment, store: storeId, replace: body.replace };
          await audit(tx, context, { target: appKey, detail });
          return { status: 200, body: storageUsageShape(await listStores(await enterInstall(tx, clientKey), now)) };
        });
      },
    }),
  ];
}

function existing(install: AppInstall | null): AppInstall {
  if (install === null) throw httpErrors('not_found');
  return install;
}
