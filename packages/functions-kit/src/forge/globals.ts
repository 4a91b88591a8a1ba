import { type CallContext, host } from '../host.ts';
import { Queue, type PushEvent } from './events.ts';
import { answerKvs } from './globals-kvs.ts';
import { environmentType, forgeContext } from './invocation.ts';
import { NoProductError } from './products.ts';

// For bundles that were built before, with Forge's own packages inside: what those look for around them. There is a getter and no value, so that
// what runs at the same time never reads of one another; and nothing of storage in it, which they would keep from the first call for ever.

interface Target {
  readonly type?: string;
  readonly remote?: string;
}

/** Of the call that runs here; undefined while a module loads. */
function runtime(): object | undefined {
  const call: CallContext | null = host().context();
  if (call === null) return undefined;
  return {
    appContext: {
      appId: call.appKey,
      appVersion: `${call.version}.0.0`,
      environmentId: call.environment,
      environmentType: environmentType(call),
      invocationId: call.invocationId,
      installationId: call.clientKey,
      functionKey: call.function,
      moduleKey: call.function,
    },
    contextAri: forgeContext(call).installContext,
    aaid: call.userId ?? undefined,
    externalAuth: [],
    metrics: noMetrics,
    tracing: { traceId: call.invocationId, spanId: call.invocationId },
    lambdaContext: { awsRequestId: call.invocationId, getRemainingTimeInMillis: () => REMAINING_MS },
    proxy: {},
  };
}

/** What a call has at most; how much of it is gone is not known inside. */
const REMAINING_MS = 25_000;
const noMetrics = {
  counter: () => ({ incr: () => undefined }),
  timing: () => ({ measure: () => ({ stop: () => undefined }) }),
};

/** What a bundle asks of its host: storage and queues are answered, a product is refused. */
async function forgeFetch(target: Target, path: string, init: { readonly body?: unknown } = {}): Promise<Response> {
  const body = typeof init.body === 'string' ? init.body : '{}';
  if (target.type === 'kvs') return answerKvs(path, body);
  if (target.type === 'fpp' && path.startsWith('/webhook/queue/publish/')) return publish(body);
  throw new NoProductError(`${target.type ?? 'unknown'} ${target.remote ?? ''} ${path}: there is nothing behind this host that answers it`);
}

async function publish(body: string): Promise<Response> {
  const { queueName, payload } = JSON.parse(body) as { queueName: string; payload: readonly PushEvent[] };
  await new Queue({ key: queueName }).push(payload);
  return Response.json({}, { status: 201 });
}

Object.defineProperty(globalThis, '__forge_runtime__', { get: runtime, configurable: false });
Object.defineProperty(globalThis, '__forge_fetch__', { value: forgeFetch, configurable: false, writable: false });
