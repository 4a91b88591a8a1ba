import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { Account } from './account.ts';
import { findAccount, listAccounts } from './account-store.ts';

const collection = '/t/{application_id}/rest/bulkhead/1/accounts';

/** What an App may know of an account: which it is and whether it can be used. Never its credential, nor what the company wrote to it. */
export const appAccount = z.object({
  id: z.number(),
  service: z.string(),
  account: z.string().nullable(),
  end_user: z.string().nullable(),
  active: z.boolean(),
  health: z.string(),
});

export function appAccountShape(account: Account): z.input<typeof appAccount> {
  return {
    id: account.accountId,
    service: account.service,
    account: account.account,
    end_user: account.endUser,
    active: account.active,
    health: account.health,
  };
}

/** The accounts of an Application as the Apps that are installed into it see them, with the scope READ. */
export function appAccountRoutes({ db }: { db: Database }): AnyRoute[] {
  return [
    route({
      id: 'app_account.list',
      method: 'GET',
      path: collection,
      summary: 'List the accounts of the Application that an App is installed into',
      credentials: ['install'],
      scope: 'app:READ',
      rateClass: 'api',
      audit: null,
      params: z.object({ application_id: z.string() }),
      query: z.object({
        page: z.coerce.number().int().min(1).max(1_000_000).default(1),
        page_size: z.coerce.number().int().min(1).max(1_000).default(100),
        service: z.string().max(100).optional(),
        end_user: z.string().max(512).optional(),
      }),
      answers: { 200: z.object({ total: z.number(), accounts: z.array(appAccount) }) },
      handler: async ({ applicationId, principal }, { query }) => {
        const { userId } = principal;
        // Who acts for a user sees what that user has.
        if (userId !== null && query.end_user !== undefined && query.end_user !== userId)
          return { status: 200, body: { total: 0, accounts: [] } };
        const filter = { service: query.service, endUser: userId ?? query.end_user };
        const { rows, total } = await db.withTenant(applicationId, (tx) => listAccounts(tx, applicationId, filter, query));
        return { status: 200, body: { total, accounts: rows.map(appAccountShape) } };
      },
    }),
    route({
      id: 'app_account.get',
      method: 'GET',
      path: `${collection}/{account_id}`,
      summary: 'Retrieve an account of the Application that an App is installed into',
      credentials: ['install'],
      scope: 'app:READ',
      rateClass: 'api',
      audit: null,
      params: z.object({ application_id: z.string(), account_id: z.string().regex(/^\d{1,16}$/) }),
      answers: { 200: appAccount },
      handler: async ({ applicationId, principal: { userId } }, { params }) => {
        const account = await db.withTenant(applicationId, (tx) => findAccount(tx, applicationId, Number(params.account_id)));
        if (account === null || (userId !== null && account.endUser !== userId)) throw httpErrors('not_found');
        return { status: 200, body: appAccountShape(account) };
      },
    }),
  ];
}
