import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findWorkerd, type InvocationResult, openSupervisor } from '@bulkhead/sandbox';
import { pssMb } from '../machine/process.ts';
import { functionCode } from '../stack/function-code.ts';
import { besideRunaways, bomb } from './function-attacks.ts';
import { serving } from './serving.ts';

// The supervisor of the runner with its engine and its jail, as the runner has it; storage answers out of memory. Beside it a front of
// node:http, by which wrk reaches it: POST /TENANT/FUNCTION.
const code = functionCode();
const answer = { status: 200, headers: [['content-type', 'application/json']] as const, body: Buffer.from('{"found":true,"value":1}') };
const opened = findWorkerd() === null ? null : await openSupervisor({ doors: async () => answer, killsMax: 1_000_000, idleMs: 600_000 });
if (opened === null) throw new Error('workerd has no program for this machine');
const supervisor = opened;
let nextTenant = 1;

function invoke(tenant: string, functionName: string): Promise<InvocationResult> {
  return supervisor.invoke({
    identity: { applicationId: 'app', clientKey: tenant, environment: 'production' },
    version: '1',
    loadCode: async () => code,
    functionName,
    payload: '"you"',
    context: '{}',
    token: 'token',
  });
}

async function mustBeOk(tenant: string): Promise<void> {
  const { outcome } = await invoke(tenant, 'hello');
  if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
}

const measures: Record<string, (count: number, seconds: number) => Promise<unknown>> = {
  /** Milliseconds until the first call of an installation that was never there is answered, `count` times. */
  async cold(count) {
    const times: number[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      const since = performance.now();
      await mustBeOk(`cold-${(nextTenant += 1)}`);
      times.push(performance.now() - since);
    }
    return times;
  },
  /** Milliseconds of calls of one installation, one after the other. */
  async warm(count) {
    await mustBeOk('warm');
    const times: number[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      const since = performance.now();
      await mustBeOk('warm');
      times.push(performance.now() - since);
    }
    return times;
  },
  /** MiB (PSS) of each of `count` idle instances. */
  async memory(count) {
    const tenants = Array.from({ length: count }, (_, index) => `idle-${index}`);
    for (const tenant of tenants) await mustBeOk(tenant);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const pids = supervisor.instances.filter(({ identity }) => tenants.includes(identity.clientKey)).map(({ pid }) => pid);
    return pids.flatMap((pid) => (pid === null ? [] : [pssMb(pid)]));
  },
  runaways: (count, seconds) => besideRunaways(supervisor, invoke, { runaways: count, seconds }),
  bomb: () => bomb(supervisor, invoke),
};

const server = createServer((request, response) => {
  request.resume();
  const [, tenant = '', name = ''] = (request.url ?? '').split('/');
  void invoke(tenant, name).then(({ outcome }) => {
    response.writeHead(outcome.kind === 'ok' ? 200 : 500, { 'content-type': 'application/json' });
    response.end(outcome.kind === 'ok' ? outcome.value : JSON.stringify(outcome));
  });
});
server.listen(0, '127.0.0.1', () => {
  const { level } = supervisor.isolation;
  serving({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, level, bytes: code.length }, async () => {
    server.closeAllConnections();
    await supervisor.close();
  });
});
process.stdin.on('data', (chunk: Buffer) => {
  const [, what = '', count = '1', seconds = '1'] = chunk.toString('utf8').trim().split(' ');
  void measures[what]!(Number(count), Number(seconds)).then((result) => process.stdout.write(`result ${JSON.stringify(result)}\n`));
});
