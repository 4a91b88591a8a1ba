import type { AnyRoute } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';

/** `/healthz`: the process answers. `/readyz`: it can serve. */
export function healthRoutes({ db }: { db: Database }): AnyRoute[] {
  return [
    route({
      id: 'health.process',
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process runs',
      credentials: [],
      scope: null,
      rateClass: 'health',
      audit: null,
      answers: { 200: z.object({ status: z.literal('ok') }) },
      handler: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
    route({
      id: 'health.ready',
      method: 'GET',
      path: '/readyz',
      summary: 'Whether the process can serve: the database answers and is migrated',
      credentials: [],
      scope: null,
      rateClass: 'health',
      audit: null,
      answers: { 200: z.object({ status: z.literal('ready') }) },
      handler: async () => {
        await db.ping();
        return { status: 200, body: { status: 'ready' } };
      },
    }),
  ];
}
