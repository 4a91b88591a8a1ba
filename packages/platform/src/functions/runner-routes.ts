import { type AnyRoute, type Egress, httpErrors } from '@bulkhead/http';
import { isDeclaredHost } from '@bulkhead/protocol';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { type InvocationPrincipal, type RequestContext, route } from '../access/index.ts';
import { enterInstall, type InstallTx } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { findCode } from './deployment-store.ts';
import { functionErrors } from './function-errors.ts';
import { deleteValue, findValue, listKeys, putValue, STORAGE_VALUES_MAX } from './storage-store.ts';

const VALUE_MAX = 240_000;
const FETCH_BYTES_MAX = 5 * 1024 * 1024;
const FETCH_MS = 20_000;

const storageKey = z
  .string()
  .min(1)
  .max(500)
  .refine((key) => !key.includes('\u0000') && key.isWellFormed(), 'expected text without NUL');

const storageCall = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('get'), key: storageKey }),
  z.strictObject({ op: z.literal('set'), key: storageKey, value: z.unknown() }),
  z.strictObject({ op: z.literal('delete'), key: storageKey }),
  z.strictObject({
    op: z.literal('list'),
    prefix: z.string().max(500).default(''),
    after: z.string().max(500).default(''),
    limit: z.int().min(1).max(100).default(100),
  }),
]);

const storageAnswer = z.object({
  found: z.boolean().optional(),
  value: z.unknown().optional(),
  keys: z.array(z.string()).optional(),
});

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

type InvocationContext = RequestContext<InvocationPrincipal>;

/**
 * What the runner asks for on behalf of one running call, by the token of that call, which the guest never sees: its code, its storage, and what it
 * fetches. Who it is for stands in the row of the call; nothing of a request says so.
 */
export function runnerRoutes({ db, vault, egress }: { db: Database; vault: Vault; egress: Egress }): AnyRoute[] {
  const within = <T>({ principal, applicationId }: InvocationContext, work: (tx: InstallTx) => Promise<T>): Promise<T> =>
    db.withTenant(applicationId, async (tx) => work(await enterInstall(tx, principal.clientKey)));
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
    route({
      ...common,
      id: 'function_runner.storage',
      method: 'POST',
      path: '/internal/functions/storage',
      summary: 'For the runner: what the running call keeps, of its install and environment',
      idempotent: false,
      body: storageCall,
      answers: { 200: storageAnswer },
      handler: async (context, { body }) => {
        const { environment } = context.principal;
        return { status: 200, body: await within(context, (tx) => storage(tx, body, environment, context.now)) };
      },
    }),
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

  async function storage(
    tx: InstallTx,
    call: z.output<typeof storageCall>,
    environment: string,
    now: Date,
  ): Promise<z.input<typeof storageAnswer>> {
    switch (call.op) {
      case 'get': {
        const json = await findValue(tx, vault, environment, call.key);
        return json === null ? { found: false } : { found: true, value: JSON.parse(json) as unknown };
      }
      case 'set': {
        const json = JSON.stringify(call.value ?? null);
        if (Buffer.byteLength(json) > VALUE_MAX)
          throw httpErrors('request.invalid', { field: 'value', params: { problem: `at most ${VALUE_MAX} bytes of JSON` } });
        if ((await putValue(tx, vault, { environment, key: call.key, json, now })) === 'full')
          throw functionErrors('function.storage_full', { params: { limit: STORAGE_VALUES_MAX } });
        return {};
      }
      case 'delete':
        return { found: await deleteValue(tx, environment, call.key) };
      case 'list':
        return { keys: await listKeys(tx, { environment, ...call }) };
    }
  }
}
