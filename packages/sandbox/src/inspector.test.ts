import { expect, test } from 'vitest';
import { openSupervisor } from './index.ts';

const code = `let calls = 0;
export const run = () => {
  calls += 1;
  return calls;
};`;

/** A supervisor whose instances a debugger may look into; `listening` is where. */
async function inspected(port: number) {
  const listening: string[] = [];
  const supervisor = await openSupervisor(
    { doors: async () => ({ status: 404, headers: [], body: Buffer.alloc(0) }) },
    { inspector: { port, onListen: (_, address) => void listening.push(address) } },
  );
  if (supervisor === null) throw new Error('workerd has no program for this machine');
  expect(supervisor.isolation.level).toBe('process');
  const call = (applicationId: string, environment: string) =>
    supervisor.invoke({
      identity: { applicationId, clientKey: 'one', environment },
      version: '1',
      loadCode: async () => code,
      functionName: 'run',
      payload: 'null',
      context: '{}',
      token: '',
    });
  return { listening, call, [Symbol.asyncDispose]: () => supervisor.close() };
}

interface Said {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** The debugger behind an address, spoken to as an editor would. */
async function attach(address: string) {
  const targets = (await (await fetch(`http://${address}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl);
  const said: Said[] = [];
  socket.addEventListener('message', ({ data }) => void said.push(JSON.parse(String(data)) as Said));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  let id = 0;
  const send = (method: string, params = {}) => socket.send(JSON.stringify({ id: (id += 1), method, params }));
  const hears = (is: (one: Said) => boolean) => expect.poll(() => said.some(is), { timeout: 5_000 }).toBe(true);
  return { send, hears, close: () => socket.close() };
}

test('a debugger has a port of its own on 127.0.0.1 for each instance in development, and stops its function where it is told to', async () => {
  await using world = await inspected(19_229);
  expect((await world.call('one', 'development')).outcome).toEqual({ kind: 'ok', value: '1' });
  await world.call('two', 'development');
  expect(world.listening).toEqual([expect.stringMatching(/^127\.0\.0\.1:192\d\d$/), expect.stringMatching(/^127\.0\.0\.1:192\d\d$/)]);
  expect(new Set(world.listening).size).toBe(2);
  const { send, hears, close } = await attach(world.listening[0]!);
  send('Debugger.enable');
  await hears(({ method, params }) => method === 'Debugger.scriptParsed' && params?.['url'] === 'function.mjs');
  send('Debugger.setBreakpointByUrl', { url: 'function.mjs', lineNumber: 3 });
  await hears(({ id }) => id === 2);
  const stopped = world.call('one', 'development');
  await hears(({ method }) => method === 'Debugger.paused');
  // Whoever stands still costs the neighbour nothing.
  expect((await world.call('two', 'development')).outcome).toEqual({ kind: 'ok', value: '2' });
  send('Debugger.resume');
  expect((await stopped).outcome).toEqual({ kind: 'ok', value: '2' });
  close();
});

test('in production, and in any other environment, there is no debugger', async () => {
  await using world = await inspected(19_329);
  for (const environment of ['production', 'staging', 'dev']) expect((await world.call('one', environment)).outcome.kind).toBe('ok');
  expect(world.listening).toEqual([]);
  await expect(fetch('http://127.0.0.1:19329/json')).rejects.toThrow();
});
