import type { AnyRoute } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { listAccounts } from './account-store.ts';
import { appAccount, appAccountShape } from './app-account-routes.ts';

/** The accounts of an Application as a running function sees them: what its App may see, and the end user it was called for. */
export function functionAccountRoutes({ db }: { db: Database }): AnyRoute[] {
  return [
    route({
      id: 'function_runner.accounts',
      method: 'GET',
      path: '/internal/functions/accounts',
      summary: 'For the runner: the accounts of the Application, for a call whose manifest may read them',
      credentials: ['invocation'],
      scope: 'function:accounts:read',
      rateClass: 'api',
      audit: null,
      query: z.strictObject({
        page: z.coerce.number().int().min(1).max(1_000_000).default(1),
        page_size: z.coerce.number().int().min(1).max(1_000).default(100),
        service: z.string().max(100).optional(),
      }),
      answers: { 200: z.object({ total: z.number(), accounts: z.array(appAccount) }) },
      handler: async ({ applicationId, principal: { userId } }, { query }) => {
        const filter = { service: query.service, endUser: userId ?? undefined };
        const { rows, total } = await db.withTenant(applicationId, (tx) => listAccounts(tx, applicationId, filter, query));
        return { status: 200, body: { total, accounts: rows.map(appAccountShape) } };
      },
    }),
  ];
}
