import type { CallContext } from '../host.ts';
import { environmentType, forgeContext } from './invocation.ts';

// What the entry of a bundle wraps handlers in: a host calls (payload, context) of its own form, a handler of Forge reads Forge's.

type Handler = (payload: unknown, context: unknown) => unknown;
type HostHandler = (payload: unknown, context: CallContext) => unknown;
type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a resolver finds in its context. What the host knows stands above what the caller wrote. */
function resolverContext(call: CallContext, moduleKey: string): Fields {
  return {
    cloudId: call.applicationId,
    moduleKey,
    environmentId: call.environment,
    environmentType: environmentType(call),
    installContext: forgeContext(call).installContext,
    accountId: call.userId ?? undefined,
  };
}

/** A function as an organization calls it: the payload as it is; one of a resolver (`{call: {functionKey, payload}}`) gets its context. */
export function asFunction(moduleKey: string, handler: Handler): HostHandler {
  return (payload, call) => {
    if (!isRecord(payload) || !isRecord(payload['call'])) return handler(payload, forgeContext(call));
    const { context } = payload;
    return handler(
      { ...payload, context: { ...(isRecord(context) ? context : {}), ...resolverContext(call, moduleKey) } },
      forgeContext(call),
    );
  };
}

/** A function that a schedule calls. */
export function asScheduled(moduleKey: string, handler: Handler): HostHandler {
  return (_payload, call) => handler({ context: { cloudId: call.applicationId, moduleKey }, contextToken: '' }, forgeContext(call));
}

/** A function that an event of the Application calls. */
export function asTrigger(moduleKey: string, handler: Handler): HostHandler {
  return (payload, call) => {
    const event = isRecord(payload) ? payload : { payload };
    return handler({ ...event, eventType: event['type'], context: { cloudId: call.applicationId, moduleKey } }, forgeContext(call));
  };
}

/** A function that a queue calls, by an event of Forge's. `method`: a function of a resolver, as in version 1 of `@forge/events`. */
export function asConsumer(moduleKey: string, handler: Handler, { method }: { readonly method?: string } = {}): HostHandler {
  return (pushed, call) => {
    const { job } = call;
    const { body, payload } = isRecord(pushed) ? pushed : { body: pushed, payload: undefined };
    const jobId = job?.pushId ?? job?.id;
    const retryContext =
      job === undefined || job.attempt === 1
        ? undefined
        : { retryCount: job.attempt - 1, retryReason: job.retry?.reason ?? 'FUNCTION_ERROR', retryData: job.retry?.data ?? null };
    if (method === undefined)
      return handler(
        { body: body ?? payload, queueName: job?.key, jobId, eventId: job?.id, ...(retryContext === undefined ? {} : { retryContext }) },
        forgeContext(call),
      );
    const given = payload ?? body;
    return handler(
      {
        call: { functionKey: method, payload: isRecord(given) && retryContext !== undefined ? { ...given, retryContext } : given, jobId },
        context: resolverContext(call, moduleKey),
      },
      forgeContext(call),
    );
  };
}

interface StaticOutput {
  readonly key: string;
  readonly statusCode: number;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
}

/** A function behind an address. `outputs`: of a static one, which answers `{outputKey}` alone. */
export function asWebtrigger(
  _moduleKey: string,
  handler: Handler,
  { outputs }: { readonly outputs?: readonly StaticOutput[] } = {},
): HostHandler {
  return async (request, call) => {
    const answer = await handler(request, forgeContext(call));
    if (outputs === undefined) return answer;
    const key = isRecord(answer) ? answer['outputKey'] : undefined;
    const output = outputs.find((each) => each.key === key);
    if (output === undefined) throw new Error(`The web trigger has no output ${JSON.stringify(key) ?? 'without a key'}: it is static`);
    const { statusCode, contentType, body } = output;
    return { statusCode, headers: contentType === undefined ? {} : { 'Content-Type': [contentType] }, body: body ?? '' };
  };
}
