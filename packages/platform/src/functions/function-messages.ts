import { environmentName, functionKey } from '@bulkhead/protocol';
import { z } from 'zod';
import type { EndedInvocation } from './invocation-store.ts';
import type { EndedCall } from './call-function.ts';

export const invokeBody = z.strictObject({
  function: functionKey,
  payload: z.unknown().optional().meta({ description: 'Any JSON; the first argument of the function.' }),
  environment: environmentName.default('production'),
  end_user: z.string().min(1).max(512).optional().meta({
    description:
      'The call is on behalf of this one: of accounts the function gets theirs only. The App must have been granted ACT_AS_USER.',
  }),
});

const logLine = z.object({ at: z.iso.datetime(), level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() });

const outcomeAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ok'), value: z.unknown() }),
  z.object({ kind: z.literal('threw'), name: z.string(), message: z.string(), stack: z.string().nullable() }),
  z.object({ kind: z.literal('timeout'), limit: z.enum(['cpu', 'wall', 'start']) }),
  z.object({ kind: z.literal('memory') }),
  z.object({
    kind: z.literal('denied'),
    reason: z.enum(['egress', 'payload_too_large', 'answer_too_large', 'answer_too_deep', 'busy', 'suspended']),
  }),
  z.object({ kind: z.literal('crashed'), detail: z.string() }),
]);

export const invocationAnswer = z.object({
  id: z.string(),
  function: z.string(),
  environment: z.string(),
  version: z.int(),
  outcome: outcomeAnswer.meta({ description: 'How the call ended. Only `ok` has a value; the rest is no error of this API.' }),
  duration_ms: z.int(),
  logs: z.array(logLine),
  logs_dropped: z.int(),
  type: z.literal('function_invocation'),
  api: z.literal('meta'),
});

export function invocationShape(functionName: string, { invocationId, deployment, result }: EndedCall): z.input<typeof invocationAnswer> {
  const { outcome } = result;
  return {
    id: invocationId,
    function: functionName,
    environment: deployment.environment,
    version: deployment.version,
    outcome: outcome.kind === 'ok' ? { kind: 'ok', value: JSON.parse(outcome.value) as unknown } : outcome,
    duration_ms: result.durationMs,
    logs: result.logs.map((line) => ({ ...line, at: new Date(line.at).toISOString() })),
    logs_dropped: result.logsDropped,
    type: 'function_invocation',
    api: 'meta',
  };
}

export const logsQuery = z.object({
  environment: environmentName.default('production'),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'expected the cursor of an answer before')
    .optional(),
  page_size: z.coerce.number().int().min(1).max(100).default(50),
});

const loggedCall = z.object({
  id: z.string(),
  function: z.string(),
  version: z.int(),
  started: z.iso.datetime(),
  outcome: z.string(),
  duration_ms: z.int(),
  lines: z.array(logLine),
  lines_dropped: z.int(),
});

export const logsAnswer = z.object({ cursor: z.string(), remaining: z.boolean(), objects: z.array(loggedCall) });

export function loggedCallShape(call: EndedInvocation): z.input<typeof loggedCall> {
  return {
    id: call.invocationId,
    function: call.functionKey,
    version: call.version,
    started: call.startedAt.toISOString(),
    outcome: call.outcome,
    duration_ms: call.durationMs,
    lines: call.logs.map((line) => ({ ...line, at: new Date(line.at).toISOString() })),
    lines_dropped: call.logsDropped,
  };
}
