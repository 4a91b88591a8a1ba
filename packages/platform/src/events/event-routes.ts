import type { ApplicationId } from '@bulkhead/base';
import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database, Sql, Tx } from '@bulkhead/postgres';
import { eventPage, latestEventCursor } from '@bulkhead/protocol';
import type { z } from 'zod';
import { type ApiKeyPrincipal, type BearerPrincipal, type Principal, type RequestContext, route } from '../access/index.ts';
import { BEGINNING, cursorOf, positionOf } from './event-cursor.ts';
import { eventErrors } from './event-errors.ts';
import { eventQuery, eventShape } from './event-messages.ts';
import type { EventScope } from './event.ts';
import { countEvents, type EventRange, findEvents, findLatest } from './event-store.ts';

type EventContext = RequestContext<ApiKeyPrincipal | BearerPrincipal>;

/** The slices above say what only they know; the log itself knows neither accounts nor settings. */
export interface EventRoutesOptions {
  readonly db: Database;
  /** The number that a path names, as far as the caller may see it. Throws `not_found` where it may not. */
  readonly accountIdOf: (context: EventContext, named: string) => number;
  readonly hasAccount: (tx: Tx, applicationId: ApplicationId, accountId: number) => Promise<boolean>;
  /** How many hours events are kept, as the Application's settings say now: a statement's part that is one number. */
  readonly retentionHours: (applicationId: ApplicationId) => Sql;
  /** The parameters of a path below an account. */
  readonly accountParams: z.ZodObject<{ account_id: z.ZodString }>;
}

const COMMON = { scope: null, rateClass: 'api', audit: null, method: 'GET' } as const;
const OF_ACCOUNT = { ...COMMON, credentials: ['api_key', 'bearer'], cors: true } as const;

/** Reading the event log: of one account, in Kloudless's shape (kloudless.md §2.5), and of the whole Application, also for its functions. */
export function eventRoutes({ db, accountIdOf, hasAccount, retentionHours, accountParams }: EventRoutesOptions): AnyRoute[] {
  async function page(tx: Tx, scope: EventScope, query: z.output<typeof eventQuery>, now: Date) {
    const isBeginning = query.cursor === undefined || query.cursor === 'after-auth';
    const after = isBeginning ? BEGINNING : positionOf(scope, query.cursor ?? '');
    // Another Application's or account's cursor is answered like one that never was.
    if (after === null) throw httpErrors('not_found');
    const range: EventRange = {
      after,
      from: query.from ?? null,
      until: query.until ?? null,
      now,
      retention: retentionHours(scope.applicationId),
    };
    const events = await findEvents(tx, scope, range, query.page_size);
    const last = events.at(-1) ?? after;
    const remaining = events.length < query.page_size ? 0 : await countEvents(tx, scope, { ...range, after: last });
    return {
      count: events.length,
      cursor: cursorOf(scope, last),
      remaining,
      objects: events.map(eventShape),
      type: 'object_list' as const,
      api: 'events' as const,
    };
  }

  /** A token reads the log of its own account. One narrowed to some pass-through calls reads none: it was given away for those. */
  async function accountScope(tx: Tx, context: EventContext, named: string): Promise<EventScope> {
    const { applicationId, principal } = context;
    const accountId = accountIdOf(context, named);
    if (principal.kind === 'bearer' && principal.authorizationDetails !== null) throw eventErrors('event.limited_token');
    if (!(await hasAccount(tx, applicationId, accountId))) throw httpErrors('not_found');
    return { applicationId, accountId };
  }

  const ofApplication = ({ applicationId, now }: RequestContext<Principal>, query: z.output<typeof eventQuery>) =>
    db.withTenant(applicationId, (tx) => page(tx, { applicationId, accountId: null }, query, now));

  return [
    route({
      ...OF_ACCOUNT,
      id: 'event.list_of_account',
      path: '/v1/accounts/{account_id}/events',
      summary: 'Events of an account, oldest first, from a cursor on',
      params: accountParams,
      query: eventQuery,
      answers: { 200: eventPage },
      handler: async (context, { params, query }) =>
        db.withTenant(context.applicationId, async (tx) => {
          const scope = await accountScope(tx, context, params.account_id);
          return { status: 200, body: await page(tx, scope, query, context.now) };
        }),
    }),
    route({
      ...OF_ACCOUNT,
      id: 'event.latest_of_account',
      path: '/v1/accounts/{account_id}/events/latest',
      summary: 'The cursor after the newest event of an account',
      params: accountParams,
      answers: { 200: latestEventCursor },
      handler: async (context, { params }) =>
        db.withTenant(context.applicationId, async (tx) => {
          const scope = await accountScope(tx, context, params.account_id);
          return { status: 200, body: { cursor: cursorOf(scope, (await findLatest(tx, scope)) ?? BEGINNING) } };
        }),
    }),
    route({
      ...COMMON,
      credentials: ['api_key'],
      id: 'event.list',
      path: '/v1/events',
      summary: 'Events of the whole Application, oldest first, from a cursor on',
      query: eventQuery,
      answers: { 200: eventPage },
      handler: async (context, { query }) => ({ status: 200, body: await ofApplication(context, query) }),
    }),
    route({
      ...COMMON,
      credentials: ['invocation'],
      scope: 'function:events:read',
      id: 'function_runner.events',
      path: '/internal/functions/events',
      summary: 'For the runner: events of the whole Application, for a call whose manifest may read them and that is for no end user',
      query: eventQuery,
      answers: { 200: eventPage },
      handler: async (context, { query }) => {
        if (context.principal.userId !== null) throw eventErrors('event.call_for_user');
        return { status: 200, body: await ofApplication(context, query) };
      },
    }),
    route({
      ...COMMON,
      credentials: ['api_key'],
      id: 'event.latest',
      path: '/v1/events/latest',
      summary: 'The cursor after the newest event of the Application',
      answers: { 200: latestEventCursor },
      handler: async (context) =>
        db.withTenant(context.applicationId, async (tx) => {
          const scope = { applicationId: context.applicationId, accountId: null };
          return { status: 200, body: { cursor: cursorOf(scope, (await findLatest(tx, scope)) ?? BEGINNING) } };
        }),
    }),
  ];
}
