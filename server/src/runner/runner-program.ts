import { limitsOfMemory, openSupervisor } from '@bulkhead/sandbox';
import { ApiClient } from './api-client.ts';
import { apiDoors } from './api-doors.ts';
import { CodeCache } from './code-cache.ts';
import type { FromRunner, ToRunner } from './messages.ts';

// The process of the role runner: no environment, no database, no key. Speaks to who has started it, and ends with it.
const client = new ApiClient();
let apiUrl = '';
const supervisor = await openSupervisor({ doors: apiDoors(client, () => apiUrl) }, { jail: process.argv[2] !== 'no-jail' });
const codes = new CodeCache(client);

const tell = (message: FromRunner): void => void process.send?.(message);

process.on('message', ({ id, call, apiUrl: at }: ToRunner) => {
  apiUrl = at;
  const { applicationId, clientKey, environment, version, functionKey: functionName, payload, context, token, isolation, limits } = call;
  void supervisor
    ?.invoke({
      identity: { applicationId, clientKey, environment },
      version,
      loadCode: () => codes.get(at, version, token),
      functionName,
      payload,
      context,
      token,
      isolation,
      limits: { cpuMs: limits.cpuMs, wallMs: limits.timeoutSeconds * 1_000, ...limitsOfMemory(limits.memoryMb) },
    })
    .then((result) => tell({ type: 'result', id, result }));
});

process.on('disconnect', () => {
  void (supervisor?.close() ?? Promise.resolve()).finally(() => process.exit(0));
});
// A Ctrl-C in the terminal reaches the whole group: whoever started us says when.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

tell({ type: 'ready', isolation: supervisor?.isolation ?? null });
