// Runs inside the instance, before the function's own module. Nothing here is a wall: the walls are the process and the gateway.
import { AsyncLocalStorage } from 'node:async_hooks';
import { env } from 'node:process';
import { format } from 'node:util';

const calls = new AsyncLocalStorage();
const outward = globalThis.fetch;

/** Names the call that a request belongs to; without one the gateway takes the oldest that is running. */
async function fetchOut(input, init) {
  const request = new Request(input, init);
  const call = calls.getStore();
  if (call !== undefined) request.headers.set('bulkhead-invocation', call.id);
  const response = await outward(request);
  const denied = response.headers.get('bulkhead-denied');
  if (denied === null) return response;
  const error = new Error(await response.text());
  error.name = 'DeniedError';
  throw error;
}

globalThis.fetch = fetchOut;

for (const [method, level] of Object.entries({ debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' })) {
  const write = console[method].bind(console);
  console[method] = (...values) => write(`${calls.getStore()?.id ?? ''} ${level} ${format(...values)}`);
}

/** What `@bulkhead/functions-kit` finds of the host. */
globalThis[Symbol.for('bulkhead.host')] = Object.freeze({
  context: () => calls.getStore()?.context ?? null,
  fetch: fetchOut,
  variables: Object.freeze({ ...env }),
});

export function runCall(id, context, run) {
  return calls.run({ id, context }, run);
}
