import type { AnyRoute } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';
import { variablesOfCall } from './variables-of-call.ts';

/** What an instance is started with, by the token of the call that starts it. */
export function variableRunnerRoute(parts: { db: Database; vault: Vault }): AnyRoute {
  return route({
    id: 'function_runner.variables',
    method: 'GET',
    path: '/internal/functions/variables',
    summary: 'For the runner: the variables of the running call, which its instance is started with',
    credentials: ['invocation'],
    scope: null,
    rateClass: 'api',
    audit: null,
    answers: { 200: z.object({ variables: z.record(z.string(), z.string()), secrets: z.array(z.string()) }) },
    handler: async ({ principal }) => {
      const values = await variablesOfCall(parts, principal);
      const variables = Object.fromEntries([...values].map(([name, { value }]) => [name, value.reveal()]));
      const secrets = [...values].filter(([, { secret }]) => secret).map(([name]) => name);
      return { status: 200, body: { variables, secrets } };
    },
  });
}
