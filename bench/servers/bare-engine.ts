import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findWorkerd } from '@bulkhead/sandbox';
import { pssMb } from '../machine/process.ts';
import { functionCode } from '../stack/function-code.ts';
import { serving } from './serving.ts';

// The engine alone: workerd with the same code and a handler of five lines, no jail, no supervisor, no limits; called over its socket.
const folder = await mkdtemp(join(tmpdir(), 'bhb-'));
await writeFile(
  join(folder, 'main.mjs'),
  `import * as functions from './function.mjs';
export default { async fetch(request) { const { name, payload } = await request.json(); return Response.json(await functions[name](payload)); } };`,
);
await writeFile(join(folder, 'function.mjs'), functionCode());
const running = new Set<ChildProcess>();
let next = 1;

async function start(): Promise<{ path: string; child: ChildProcess }> {
  const path = join(folder, `${(next += 1)}.sock`);
  const config = join(folder, `${next}.capnp`);
  await writeFile(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "f", worker = .f)], sockets = [(name = "http", address = "unix:${path}", http = (), service = "f")]);
const f :Workerd.Worker = (modules = [(name = "main.mjs", esModule = embed "main.mjs"), (name = "function.mjs", esModule = embed "function.mjs")], compatibilityDate = "2026-11-01");`,
  );
  const child = spawn(findWorkerd()!, ['serve', '--control-fd=3', config], { env: {}, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  running.add(child);
  await once(child.stdio[3]!, 'data');
  return { path, child };
}

function call(path: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: path, agent, method: 'POST', path: '/', headers: { host: 'f' } }, (incoming) => {
      incoming.resume().on('end', () => (incoming.statusCode === 200 ? resolve() : reject(new Error(String(incoming.statusCode)))));
    });
    outgoing.on('error', reject);
    outgoing.end('{"name":"hello","payload":"you"}');
  });
}

async function stop(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  running.delete(child);
}

const measures: Record<string, (count: number) => Promise<unknown>> = {
  async cold(count) {
    const times: number[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      const since = performance.now();
      const { path, child } = await start();
      const agent = new Agent();
      await call(path, agent);
      times.push(performance.now() - since);
      agent.destroy();
      await stop(child);
    }
    return times;
  },
  async warm(count) {
    const { path, child } = await start();
    const agent = new Agent({ keepAlive: true });
    await call(path, agent);
    const times: number[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      const since = performance.now();
      await call(path, agent);
      times.push(performance.now() - since);
    }
    agent.destroy();
    await stop(child);
    return times;
  },
  async memory(count) {
    const started = [];
    for (let each = 0; each < count; each += 1) {
      const one = await start();
      const agent = new Agent();
      await call(one.path, agent);
      agent.destroy();
      started.push(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const held = started.map(({ child }) => pssMb(child.pid!));
    for (const { child } of started) await stop(child);
    return held;
  },
};

serving({}, async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});
process.stdin.on('data', (chunk: Buffer) => {
  const [, what = '', count = '1'] = chunk.toString('utf8').trim().split(' ');
  void measures[what]!(Number(count)).then((result) => process.stdout.write(`result ${JSON.stringify(result)}\n`));
});
