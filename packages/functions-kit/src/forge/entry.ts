import type { CallContext } from '../host.ts';
import { environmentType, forgeContext } from './invocation.ts';

// What the entry of a bundle wraps handlers in: a host calls (payload, context) of its own form, a handler of Forge reads Forge's.

type Handler = (payload: unknown, context: unknown) => unknown;
type HostHandler = (payload: unknown, context: CallContext) => unknown;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a resolver finds in its context. What the host knows stands above what the caller wrote. */
function resolverContext(call: CallContext, moduleKey: string): Record<string, unknown> {
  return {
    cloudId: call.applicationId,
    moduleKey,
    environmentId: call.environment,
    environmentType: environmentType(call),
    installContext: forgeContext(call).installContext,
  };
}

/** A function as an organization calls it: the payload as it is; one of a resolver (`{call: {functionKey, payload}}`) gets its context. */
export function asFunction(moduleKey: string, handler: Handler): HostHandler {
  return (payload, call) => {
    const given = isRecord(payload) && isRecord(payload['call']);
    const context = { ...(given && isRecord(payload['context']) ? payload['context'] : {}), ...resolverContext(call, moduleKey) };
    return handler(given ? { ...payload, context } : payload, forgeContext(call));
  };
}
