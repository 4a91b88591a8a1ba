import { type AnyRoute, httpErrors, listAnswer, objectList, type Page, pageQuery } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import type { ApplicationId } from '@bulkhead/base';
import { type MetaTokenPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { appendUpdated } from './record-update.ts';

type MetaContext = RequestContext<MetaTokenPrincipal>;

/** A collection below an Application: what differs between redirect URIs, trusted domains, keys… */
export interface ChildCollection<Row, Body extends z.ZodType, Shape extends z.ZodType> {
  /** Last path segment of the collection; further names of the same collection answer alike. */
  readonly paths: readonly [string, ...string[]];
  /** Wire type, e.g. `redirect_uri`: names the routes' ids and the audit actions. */
  readonly noun: string;
  readonly title: string;
  readonly body: Body;
  readonly answer: Shape;
  readonly list: (tx: Tx, applicationId: ApplicationId, page: { page: number; page_size: number }) => Promise<Page<Row>>;
  readonly find: (tx: Tx, applicationId: ApplicationId, id: string) => Promise<Row | null>;
  readonly add: (tx: Tx, context: MetaContext, body: z.output<Body>) => Promise<Row>;
  readonly remove: (tx: Tx, applicationId: ApplicationId, row: Row) => Promise<boolean>;
  readonly idOf: (row: Row) => string;
  readonly shape: (row: Row, applicationId: ApplicationId) => z.input<Shape>;
}

/** List, create, retrieve, delete: the four routes that every collection has. */
export function childRoutes<Row, Body extends z.ZodType, Shape extends z.ZodType>(
  db: Database,
  child: ChildCollection<Row, Body, Shape>,
): AnyRoute[] {
  return child.paths.flatMap((segment, position) => {
    const suffix = position === 0 ? '' : `.${segment}`;
    const collection = `/v1/meta/applications/{application_id}/${segment}`;
    const one = z.object({ application_id: z.string(), id: z.string().max(512) });
    const found = async (tx: Tx, applicationId: ApplicationId, id: string): Promise<Row> => {
      const row = await child.find(tx, applicationId, id);
      if (row === null) throw httpErrors('not_found');
      return row;
    };
    return [
      route({
        id: `${child.noun}.list${suffix}`,
        method: 'GET',
        path: collection,
        summary: `List the ${child.title}s of an Application`,
        credentials: ['meta_token'],
        scope: 'applications:read',
        rateClass: 'meta',
        audit: null,
        params: z.object({ application_id: z.string() }),
        query: z.object(pageQuery),
        answers: { 200: objectList(child.answer) },
        handler: async (context, { query }) => {
          const page = await db.withTenant(context.applicationId, (tx) => child.list(tx, context.applicationId, query));
          if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
          return { status: 200, body: listAnswer(page, query, 'meta', (row) => child.shape(row, context.applicationId)) };
        },
      }),
      route({
        id: `${child.noun}.create${suffix}`,
        method: 'POST',
        path: collection,
        summary: `Add a ${child.title}`,
        credentials: ['meta_token'],
        scope: 'applications:write',
        rateClass: 'meta',
        audit: `${child.noun}.created`,
        params: z.object({ application_id: z.string() }),
        body: child.body,
        answers: { 201: child.answer },
        handler: async (context, { body }) => {
          const row = await db.withTenant(context.applicationId, async (tx) => {
            const added = await child.add(tx, context, body as z.output<Body>);
            await audit(tx, context, { target: child.idOf(added) });
            await appendUpdated(tx, context, [child.paths[0]]);
            return added;
          });
          return { status: 201, body: child.shape(row, context.applicationId) };
        },
      }),
      route({
        id: `${child.noun}.get${suffix}`,
        method: 'GET',
        path: `${collection}/{id}`,
        summary: `Retrieve a ${child.title}`,
        credentials: ['meta_token'],
        scope: 'applications:read',
        rateClass: 'meta',
        audit: null,
        params: one,
        answers: { 200: child.answer },
        handler: async (context, { params }) => {
          const row = await db.withTenant(context.applicationId, (tx) => found(tx, context.applicationId, params.id));
          return { status: 200, body: child.shape(row, context.applicationId) };
        },
      }),
      route({
        id: `${child.noun}.delete${suffix}`,
        method: 'DELETE',
        path: `${collection}/{id}`,
        summary: `Delete a ${child.title}`,
        credentials: ['meta_token'],
        scope: 'applications:write',
        rateClass: 'meta',
        audit: `${child.noun}.deleted`,
        params: one,
        answers: { 204: null },
        handler: async (context, { params }) => {
          await db.withTenant(context.applicationId, async (tx) => {
            const row = await found(tx, context.applicationId, params.id);
            if (!(await child.remove(tx, context.applicationId, row))) throw httpErrors('not_found');
            await audit(tx, context, { target: child.idOf(row) });
            await appendUpdated(tx, context, [child.paths[0]]);
          });
          return { status: 204 };
        },
      }),
    ];
  });
}
