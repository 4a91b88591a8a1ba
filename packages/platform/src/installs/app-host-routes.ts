import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { installErrors } from './install-errors.ts';
import { findInstall } from './install-store.ts';
import { tenantBaseUrl } from './lifecycle-call.ts';

const appInfo = z.object({
  key: z.string(),
  version: z.string(),
  state: z.enum(['ENABLED', 'DISABLED']),
  host: z.object({ product: z.string(), contacts: z.array(z.unknown()) }),
  license: z.object({ active: z.boolean() }),
  links: z.object({ self: z.array(z.object({ href: z.string() })) }),
});

/** What an App finds at its host beside its properties. */
export function appHostRoutes({ db, publicUrl }: { db: Database; publicUrl: () => string }): AnyRoute[] {
  return [
    route({
      id: 'app_info.get',
      method: 'GET',
      path: '/t/{application_id}/rest/atlassian-connect/{version}/addons/{app_key}',
      summary: 'What the host knows of the App that asks',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: null,
      params: z.object({ application_id: z.string(), version: z.enum(['1', 'latest']), app_key: z.string() }),
      answers: { 200: appInfo },
      handler: async ({ applicationId, principal }, { params: { app_key: appKey } }) => {
        // Whether another App is installed is not told.
        const install =
          appKey === principal.appKey ? await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, appKey)) : null;
        if (install === null) throw httpErrors('not_found');
        const href = `${tenantBaseUrl(publicUrl(), applicationId)}/rest/atlassian-connect/1/addons/${appKey}`;
        return {
          status: 200,
          body: {
            key: appKey,
            version: install.descriptor?.version ?? '1.0.0',
            state: install.status === 'enabled' ? 'ENABLED' : 'DISABLED',
            host: { product: 'bulkhead', contacts: [] },
            license: { active: true },
            links: { self: [{ href }] },
          },
        };
      },
    }),
    route({
      id: 'app_host.unlisted',
      method: 'ANY',
      path: '/t/{application_id}/{path...}',
      summary: 'Whatever is not listed is closed to Apps',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: null,
      bodyForm: 'stream',
      idempotent: false,
      params: z.object({ application_id: z.string(), path: z.string() }),
      answers: {},
      handler: async () => {
        throw installErrors('install.scope_missing');
      },
    }),
  ];
}
