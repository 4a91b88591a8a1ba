import type { AnyRoute } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { Readiness } from './readiness.ts';

/** `/healthz`: the process answers. `/readyz`: it takes callers. */
export function healthRoutes({ readiness }: { readiness: Readiness }): AnyRoute[] {
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
      summary: 'Whether the process can serve: the database answers, and it is not about to stop',
      credentials: [],
      scope: null,
      rateClass: 'health',
      audit: null,
      answers: { 200: z.object({ status: z.literal('ready') }) },
      handler: async () => {
        await readiness.check();
        return { status: 200, body: { status: 'ready' } };
      },
    }),
  ];
}
