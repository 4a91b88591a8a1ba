import { parseArgs } from 'node:util';
import { type InvocationResult, limitsOfMemory, openSupervisor } from '@bulkhead/sandbox';
import { ApiClient } from './api-client.ts';
import { apiDoors } from './api-doors.ts';
import { CodeCache } from './code-cache.ts';
import { loadVariables } from './load-variables.ts';
import type { FromRunner, ToRunner } from './messages.ts';

// The process of the role runner: no environment, no database, no key. Speaks to who has started it, and ends with it.
const client = new ApiClient();
let apiUrl = '';
const { values: given } = parseArgs({ options: { 'no-jail': { type: 'boolean', default: false }, inspect: { type: 'string' } } });
const inspector =
  given.inspect === undefined
    ? null
    : {
        port: Number(given.inspect),
        onListen: ({ applicationId }: { applicationId: string }, address: string) =>
          void process.stderr.write(`Debugger: ${address} for ${applicationId}\n`),
      };
// Whoever stands at a breakpoint has all the time.
const unhurried = inspector === null ? {} : { wallMs: 900_000, cpuMs: 900_000 };
const supervisor = await openSupervisor({ doors: apiDoors(client, () => apiUrl) }, { jail: !given['no-jail'], inspector });
const codes = new CodeCache(client);

const tell = (message: FromRunner): void => void process.send?.(message);

process.on('message', (message: ToRunner) => {
  const { id } = message;
  const answer = (result: InvocationResult): void => tell({ type: 'result', id, result });
  if (message.type === 'check') return void supervisor?.check(message.check.code, message.check.variables).then(answer);
  const { call, apiUrl: at } = message;
  apiUrl = at;
  const {
    applicationId,
    clientKey,
    environment,
    version,
    revision,
    functionKey: functionName,
    payload,
    context,
    token,
    isolation,
    limits,
  } = call;
  void supervisor
    ?.invoke({
      identity: { applicationId, clientKey, environment },
      version: `${version}.${revision}`,
      loadCode: () => codes.get(at, version, token),
      loadVariables: () => loadVariables(client, at, token),
      functionName,
      payload,
      context,
      token,
      isolation,
      limits: { cpuMs: limits.cpuMs, wallMs: limits.timeoutSeconds * 1_000, ...limitsOfMemory(limits.memoryMb), ...unhurried },
    })
    .then(answer);
});

process.on('disconnect', () => {
  void (supervisor?.close() ?? Promise.resolve()).finally(() => process.exit(0));
});
// A Ctrl-C in the terminal reaches the whole group: whoever started us says when.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

tell({ type: 'ready', isolation: supervisor?.isolation ?? null });
