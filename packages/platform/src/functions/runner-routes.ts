import { type AnyRoute, type Egress, httpErrors } from '@bulkhead/http';
import { isDeclaredHost } from '@bulkhead/protocol';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';
import { findCode } from './deployment-store.ts';
import { functionErrors } from './function-errors.ts';
import { storageRunnerRoute } from './storage-runner-route.ts';

const FETCH_BYTES_MAX = 5 * 1024 * 1024;
const FETCH_MS = 20_000;

const fetchCall = z.strictObject({
  url: z.string().max(8_192),
  method: z.string().max(32),
  headers: z.array(z.tuple([z.string().max(200), z.string().max(16_384)])).max(100),
  body: z.base64().max(720_000).meta({ description: 'Base64.' }),
});

const fetchAnswer = z.object({
  status: z.int(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.base64(),
});

/**
 * What the runner asks for on behalf of one running call, by the token of that call, which the guest never sees: its code, its storage, and what it
 * fetches. Who it is for stands in the row of the call; nothing of a request says so.
 */
export function runnerRoutes({ db, vault, egress }: { db: Database; vault: Vault; egress: Egress }): AnyRoute[] {
  const common = { credentials: ['invocation'], scope: null, rateClass: 'api', audit: null } as const;
  return [
    route({
      ...common,
      id: 'function_runner.code',
      method: 'GET',
      path: '/internal/functions/code',
      summary: 'For the runner: the code of the running call',
      answers: { 200: z.object({ code: z.string() }) },
      handler: async ({ principal }) => {
        const { organizationId, appKey, environment, version } = principal;
        const code = await db.withOrganization(organizationId, (tx) => findCode(tx, { organizationId, appKey, environment, version }));
        if (code === null) throw httpErrors('not_found');
        return { status: 200, body: { code } };
      },
    }),
    storageRunnerRoute({ db, vault }),
    route({
      ...common,
      id: 'function_runner.fetch',
      method: 'POST',
      path: '/internal/functions/fetch',
      summary: 'For the runner: a request of the running call to a host that its manifest declares',
      idempotent: false,
      body: fetchCall,
      answers: { 200: fetchAnswer },
      handler: async ({ principal, applicationId, signal }, { body: asked }) => {
        const url = URL.parse(asked.url);
        if (url === null || !isDeclaredHost(url, principal.egressHosts))
          throw functionErrors('function.egress_undeclared', { params: { host: url?.host ?? 'that is none' } });
        const bytes = Buffer.from(asked.body, 'base64');
        const answer = await egress.fetch(asked.url, {
          policy: 'function',
          tenant: applicationId,
          method: asked.method,
          headers: asked.headers,
          body: bytes.length === 0 ? null : bytes,
          maxBytes: FETCH_BYTES_MAX,
          timeoutMs: FETCH_MS,
          signal,
        });
        // The body came decoded, and its length with it.
        const headers = [...answer.headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
        return { status: 200, body: { status: answer.status, headers, body: answer.body.toString('base64') } };
      },
    }),
  ];
}
