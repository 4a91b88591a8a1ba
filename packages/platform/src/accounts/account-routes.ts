import { type AnyRoute, httpErrors, type IncomingCall, listAnswer } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import type { z } from 'zod';
import { type ApiKeyPrincipal, type BearerPrincipal, type RequestContext, route } from '../access/index.ts';
import { appendAudit, audit } from '../audit/index.ts';
import { methodsOfScope, type UpstreamService } from '../services/index.ts';
import { findCredential, openCredential, type Vault } from '../vault/index.ts';
import type { Account } from './account.ts';
import { accountErrors } from './account-errors.ts';
import {
  accountAnswer,
  accountList,
  accountListQuery,
  accountParams,
  accountQuery,
  importBody,
  reconnectAnswer,
  updateBody,
} from './account-messages.ts';
import { accountShape, lastingShape, serviceOf, tokensShape } from './account-shape.ts';
import { findAccount, listAccounts, recallAccount } from './account-store.ts';
import { disconnectAccount } from './disconnect-account.ts';
import { importAccount } from './import-account.ts';
import { updateAccount } from './update-account.ts';

export interface AccountRoutesOptions {
  readonly db: Database;
  readonly vault: Vault;
  readonly publicUrl: () => string;
  /** Most accounts of an Application. Default 100,000. */
  readonly accountsMax?: number | undefined;
  /** Handed in by the authorization slice: a link that connects this very account anew. `expiresIn` in seconds. */
  readonly pushReconnect: (
    tx: Tx,
    context: Pick<RequestContext, 'applicationId' | 'now'>,
    accountId: number,
  ) => Promise<{ readonly url: string; readonly expiresIn: number }>;
}

type AccountContext = RequestContext<ApiKeyPrincipal | BearerPrincipal>;

const COMMON = { credentials: ['api_key', 'bearer'], scope: null, rateClass: 'api', cors: true } as const;

/**
 * The number a path names, as far as the caller may see it: an API key reaches every account of its Application, a token its
 * own and no other. Whether it exists is for the database to say; the answer is the same.
 */
export function accountIdOf({ principal }: AccountContext, named: string): number {
  if (principal.kind === 'bearer') {
    if (named === 'me' || Number(named) === principal.accountId) return principal.accountId;
    throw httpErrors('not_found');
  }
  if (named === 'me') throw httpErrors('not_found');
  return Number(named);
}

/** A token narrowed to some pass-through calls, to reading or to identity must not be able to more than that: least of all end the account. */
function assertMayChange({ principal }: AccountContext): void {
  if (principal.kind !== 'bearer') return;
  if (principal.authorizationDetails !== null || methodsOfScope(principal.scope) !== 'all') throw accountErrors('account.limited_token');
}

/** Kloudless's file picker takes 403 as "this token is dead, forget it" at these two addresses, and any other status as an outage. */
function invalidTokenAtPicker(call: IncomingCall): 'token.invalid' | 'token.invalid_at_picker' {
  const [path = ''] = call.target.split('?');
  return call.query['active'] === 'True' || path.endsWith('/accounts/me/') ? 'token.invalid_at_picker' : 'token.invalid';
}

export function accountRoutes({ db, vault, publicUrl, pushReconnect, accountsMax }: AccountRoutesOptions): AnyRoute[] {
  async function shape(
    tx: Tx,
    context: AccountContext,
    account: Account,
    query: z.output<typeof accountQuery>,
    known?: UpstreamService | null,
  ) {
    const service = known === undefined ? await serviceOf(tx, account) : known;
    const shown = accountShape(account, service, { publicUrl: publicUrl(), full: query.retrieve_full === true });
    return query.retrieve_tokens === true ? { ...shown, ...(await tokensOf(tx, context, account)) } : shown;
  }

  async function tokensOf(tx: Tx, context: AccountContext, account: Account) {
    if (context.principal.kind !== 'api_key')
      throw accountErrors('account.needs_api_key', { params: { what: 'retrieve upstream tokens' } });
    const { applicationId, credentialId } = account;
    const stored = credentialId === null ? null : await findCredential(tx, { applicationId, credentialId });
    if (stored === null) return {};
    await appendAudit(tx, {
      applicationId: account.applicationId,
      actor: context.actor,
      action: 'account.tokens_retrieved',
      at: context.now,
      target: String(account.accountId),
      requestId: context.requestId,
    });
    return tokensShape(await openCredential(tx, vault, stored), stored.expiresAt);
  }

  return [
    route({
      ...COMMON,
      id: 'account.list',
      method: 'GET',
      path: '/v1/accounts',
      summary: 'List accounts, newest first; with an access token just its own',
      audit: null,
      invalidToken: invalidTokenAtPicker,
      query: accountListQuery,
      answers: { 200: accountList },
      handler: async (context, { query }) => {
        const { applicationId, principal } = context;
        const filter = {
          active: query.active ?? query.enabled,
          admin: query.admin,
          search: query.search,
          service: query.service,
          endUser: query.end_user,
          health: query.health,
          accountId: principal.kind === 'bearer' ? principal.accountId : undefined,
        };
        return db.withTenant(applicationId, async (tx) => {
          const page = await listAccounts(tx, applicationId, filter, query);
          if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
          const services = new Map<string, UpstreamService | null>();
          const shapes: Awaited<ReturnType<typeof shape>>[] = [];
          for (const account of page.rows) {
            if (!services.has(account.service)) services.set(account.service, await serviceOf(tx, account));
            shapes.push(await shape(tx, context, account, query, services.get(account.service) ?? null));
          }
          return { status: 200, body: listAnswer({ rows: shapes, total: page.total }, query, 'meta', (shown) => shown) };
        });
      },
    }),
    route({
      ...COMMON,
      credentials: ['api_key'],
      id: 'account.import',
      method: 'POST',
      path: '/v1/accounts',
      summary: 'Import an account whose upstream tokens you have',
      audit: 'account.imported',
      body: importBody,
      answers: { 201: accountAnswer },
      handler: async (context, { body }) =>
        db.withTenant(context.applicationId, async (tx) => {
          const account = await importAccount(tx, { vault, accountsMax }, context, body);
          return { status: 201, body: await shape(tx, context, account, {}) };
        }),
    }),
    route({
      ...COMMON,
      id: 'account.get',
      method: 'GET',
      path: '/v1/accounts/{account_id}',
      summary: 'Retrieve an account',
      audit: null,
      invalidToken: invalidTokenAtPicker,
      params: accountParams,
      query: accountQuery,
      answers: { 200: accountAnswer },
      handler: async (context, { params, query }) => {
        const accountId = accountIdOf(context, params.account_id);
        // Tokens leave a trace, and so need a transaction.
        if (query.retrieve_tokens === true)
          return db.withTenant(context.applicationId, async (tx) => {
            const account = await findAccount(tx, context.applicationId, accountId);
            if (account === null) throw httpErrors('not_found');
            return { status: 200, body: await shape(tx, context, account, query) };
          });
        const known = await recallAccount(db, { applicationId: context.applicationId, accountId });
        if (known === null) throw httpErrors('not_found');
        return {
          status: 200,
          body: lastingShape(known, { publicUrl: publicUrl(), full: query.retrieve_full === true }),
        };
      },
    }),
    route({
      ...COMMON,
      id: 'account.update',
      method: 'PATCH',
      path: '/v1/accounts/{account_id}',
      summary: 'Change an account: display name, custom properties; with an API key also credentials and `active`',
      audit: 'account.updated',
      params: accountParams,
      query: accountQuery,
      body: updateBody,
      answers: { 200: accountAnswer },
      handler: async (context, { params, query, body }) => {
        const accountId = accountIdOf(context, params.account_id);
        assertMayChange(context);
        return db.withTenant(context.applicationId, async (tx) => {
          const account = await updateAccount(tx, vault, context, accountId, body);
          return { status: 200, body: await shape(tx, context, account, query) };
        });
      },
    }),
    route({
      ...COMMON,
      id: 'account.delete',
      method: 'DELETE',
      path: '/v1/accounts/{account_id}',
      summary: 'Disconnect an account: its tokens end at once, its upstream tokens are revoked',
      audit: 'account.deleted',
      params: accountParams,
      answers: { 204: null },
      handler: async (context, { params }) => {
        const accountId = accountIdOf(context, params.account_id);
        assertMayChange(context);
        await db.withTenant(context.applicationId, async (tx) => {
          if (!(await disconnectAccount(tx, { applicationId: context.applicationId, accountId }, context.now)))
            throw httpErrors('not_found');
          await audit(tx, context, { target: String(accountId) });
        });
        return { status: 204 };
      },
    }),
    route({
      ...COMMON,
      id: 'account.reconnect',
      method: 'POST',
      path: '/v1/accounts/{account_id}/reconnect',
      summary: 'A link for the end user that connects this very account anew',
      audit: 'account.reconnect_link_issued',
      params: accountParams,
      answers: { 201: reconnectAnswer },
      handler: async (context, { params }) => {
        const accountId = accountIdOf(context, params.account_id);
        assertMayChange(context);
        const link = await db.withTenant(context.applicationId, async (tx) => {
          if ((await findAccount(tx, context.applicationId, accountId)) === null) throw httpErrors('not_found');
          await audit(tx, context, { target: String(accountId) });
          return pushReconnect(tx, context, accountId);
        });
        return { status: 201, body: { url: link.url, expires_in: link.expiresIn } };
      },
    }),
  ];
}
