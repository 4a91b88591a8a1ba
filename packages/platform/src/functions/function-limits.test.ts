import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let app: FakeApp;
let id: string;
const runner = new FakeRunner();
const maxima = { timeoutSeconds: 600, cpuMs: 5_000, memoryMb: 256 };

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address], functionLimits: maxima });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  ({ id } = await world.application());
  await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
});
beforeEach(() => void (runner.calls.length = 0));
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

function deploy(limits: Record<string, number> | undefined, rest: Record<string, unknown> = {}) {
  const functions = ['echo', 'held'].map((key) => ({ key, handler: `index.${key}`, ...(limits === undefined ? {} : { limits }) }));
  const code = 'export const echo = 1; export const held = 1;';
  return world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest: { app: 'notes', functions, ...rest }, code });
}
const invoke = (name: string) => world.meta('POST', `/applications/${id}/installs/notes/invoke`, { function: name });
const storage = (token: string) =>
  world.call('POST', '/internal/functions/storage', { headers: { authorization: `Bearer ${token}` }, body: { op: 'get', key: 'k' } });

describe('limits of a function', () => {
  test.each([
    [undefined, {}, { isolation: 'installation', limits: { timeoutSeconds: 25, cpuMs: 1_000, memoryMb: 128 } }],
    [
      { timeout_seconds: 600, cpu_ms: 50 },
      { isolation: 'call' },
      { isolation: 'call', limits: { timeoutSeconds: 600, cpuMs: 50, memoryMb: 128 } },
    ],
  ])('%j of the manifest are what the runner is told', async (limits, rest, told) => {
    expect((await deploy(limits, rest)).status).toBe(201);
    await invoke('echo');
    expect(runner.calls[0]).toMatchObject(told);
  });

  test.each([
    [{ timeout_seconds: 601 }, 'timeout_seconds', '"echo" asks for timeout_seconds: 601. This server allows 600 at most'],
    [{ cpu_ms: 5_001 }, 'cpu_ms', 'This server allows 5000 at most'],
    [{ memory_mb: 257 }, 'memory_mb', 'BULKHEAD_FUNCTION_LIMITS'],
  ])('%j, beyond what the operator allows, is not deployed, and says what is allowed', async (limits, field, said) => {
    const answer = await deploy(limits);
    expect([answer.status, answer.json.code, answer.json.field]).toEqual([
      400,
      'function.limit_too_high',
      `manifest.functions.0.limits.${field}`,
    ]);
    expect(answer.json.message).toContain(said);
  });

  test('that were deployed before the operator allowed less are cut to what is allowed', async () => {
    await deploy({ timeout_seconds: 600, cpu_ms: 5_000, memory_mb: 256 });
    Object.assign(maxima, { timeoutSeconds: 10, cpuMs: 20, memoryMb: 64 });
    await invoke('echo');
    expect(runner.calls[0]!.limits).toEqual({ timeoutSeconds: 10, cpuMs: 20, memoryMb: 64 });
    Object.assign(maxima, { timeoutSeconds: 600, cpuMs: 5_000, memoryMb: 256 });
  });

  test.each([
    [undefined, 54, 56],
    [{ timeout_seconds: 600 }, 629, 631],
  ])('%j: the token of a call counts as long as the call may take and wait, and no longer', async (limits, counts, counts_no_more) => {
    await deploy(limits);
    void invoke('held').catch(() => undefined);
    await expect.poll(() => runner.calls.length).toBe(1);
    const { token } = runner.calls[0]!;
    world.clock.advance(counts * 1_000);
    expect((await storage(token)).status).toBe(200);
    world.clock.advance((counts_no_more - counts) * 1_000);
    expect((await storage(token)).status).toBe(401);
    runner.release();
  });
});
