import { describe, expect, test } from 'vitest';
import { limitsOfMemory } from './contract.ts';
import { guests } from './guest.testkit.ts';

// What a call may leave behind in its process, each found by the next one where that runs in the same.
const leave = `
  import { AsyncLocalStorage } from 'node:async_hooks';
  let count = 0;
  export const run = () => {
    const seen = [];
    if (count++ > 0) seen.push('variable');
    if (globalThis.left) seen.push('global');
    if ({}.left) seen.push('prototype');
    if (AsyncLocalStorage.left) seen.push('module');
    if (Date.now.left) seen.push('function');
    globalThis.left = Object.prototype.left = AsyncLocalStorage.left = Date.now.left = true;
    setInterval(() => { count++ }, 1);
    return seen;
  };`;

describe('with isolation by call', () => {
  test('a call sees nothing of the one before, of the same installation', async () => {
    await using world = await guests();
    for (let call = 0; call < 3; call++)
      expect((await world.call('one', leave, { isolation: 'call' })).outcome).toEqual({ kind: 'ok', value: '[]' });
    await expect.poll(() => world.supervisor.instances.length).toBe(0);
  });

  test('control: by installation, a call finds all of it', async () => {
    await using world = await guests();
    await world.call('one', leave);
    expect((await world.call('one', leave)).outcome).toEqual({
      kind: 'ok',
      value: '["variable","global","prototype","module","function"]',
    });
  });

  test('calls that run at once see nothing of each other, and no more of them run than of any installation', async () => {
    await using world = await guests({ limits: { inFlightMax: 3, waitingMax: 2 } });
    const code = `let count = 0; export const run = async () => { await new Promise((done) => setTimeout(done, 100)); return ++count; }`;
    const outcomes = (await Promise.all(Array.from({ length: 7 }, () => world.call('one', code, { isolation: 'call' })))).map(
      ({ outcome }) => outcome,
    );
    expect(outcomes.filter((outcome) => outcome.kind === 'ok' && outcome.value === '1')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome.kind === 'denied' && outcome.reason === 'busy')).toHaveLength(2);
  });

  test('a call that is killed counts against its installation as any other', async () => {
    await using world = await guests({ killsMax: 2, limits: { cpuMs: 100 } });
    const spin = 'export const run = () => { while (true); }';
    const ends = [];
    for (let call = 0; call < 3; call++) ends.push((await world.call('one', spin, { isolation: 'call' })).outcome);
    expect(ends).toMatchObject([{ kind: 'timeout' }, { kind: 'timeout' }, { kind: 'denied', reason: 'suspended' }]);
  });
});

describe('limits of a function', () => {
  const code = `
    let count = 0;
    export const add = () => ++count;
    export const spin = (ms) => { const end = performance.now() + ms; while (Date.now() < 0 || performance.now() < end); return 1; };
    export const burn = () => { for (let i = 0; ; i++); };
    export const sleep = (ms) => new Promise((done) => setTimeout(() => done(1), ms));
    export const fill = (mb) => { const all = []; for (let i = 0; i < mb; i++) all.push(new Array(131072).fill(i + 0.5)); return all.length; };`;

  test('of memory are its own: what one dies of, another has room for', async () => {
    await using world = await guests();
    const fill = (heapMb: number) => world.call('one', code, { name: 'fill', payload: 150, limits: limitsOfMemory(heapMb) });
    expect((await fill(64)).outcome).toEqual({ kind: 'memory' });
    expect((await fill(256)).outcome).toEqual({ kind: 'ok', value: '150' });
  });

  test('of time are its own: a long call ends as asked, a short one by the clock', async () => {
    await using world = await guests();
    const sleep = (wallMs: number) => world.call('one', code, { name: 'sleep', payload: 1_200, limits: { wallMs } });
    const [long, short] = await Promise.all([sleep(10_000), sleep(300)]);
    expect([long.outcome, short.outcome]).toEqual([
      { kind: 'ok', value: '1' },
      { kind: 'timeout', limit: 'wall' },
    ]);
  });

  test('of CPU are its own: who is killed for his takes no call of other limits along', async () => {
    await using world = await guests();
    const sleeping = world.call('one', code, { name: 'sleep', payload: 1_000, limits: { cpuMs: 5_000 } });
    expect((await world.call('one', code, { name: 'burn', limits: { cpuMs: 200 } })).outcome).toEqual({ kind: 'timeout', limit: 'cpu' });
    expect((await sleeping).outcome).toEqual({ kind: 'ok', value: '1' });
  });

  test('that are the same share a process, others do not', async () => {
    await using world = await guests();
    const add = async (cpuMs: number) => (await world.call('one', code, { name: 'add', limits: { cpuMs } })).outcome;
    await add(1_000);
    expect(await add(1_000)).toEqual({ kind: 'ok', value: '2' });
    expect(await add(2_000)).toEqual({ kind: 'ok', value: '1' });
    expect(world.supervisor.instances).toHaveLength(2);
  });
});

describe('room', () => {
  const hello = 'export const run = () => 1;';
  const running = (world: Awaited<ReturnType<typeof guests>>) =>
    world.supervisor.instances.filter(({ state }) => state === 'warm').map(({ identity }) => identity.clientKey);

  test('for one more is made by whoever was called longest ago', async () => {
    await using world = await guests({ instancesMax: 2 });
    for (const tenant of ['a', 'b', 'a', 'c']) await world.call(tenant, hello);
    expect(running(world)).toEqual(['a', 'c']);
  });

  test('is of memory too: what holds more than there may be is ended while it is idle, the longest idle first', async () => {
    await using world = await guests({ memoryMb: 100 });
    const held = `const kept = []; export const run = (mb) => { for (let i = 0; i < mb; i++) kept.push(new Uint8Array(1 << 20).fill(1)); return kept.length; }`;
    await world.call('a', hello);
    await world.call('b', hello);
    expect(running(world)).toEqual(['a', 'b']);
    await world.call('big', held, { payload: 80 });
    await expect.poll(() => running(world)).not.toContain('a');
    expect(running(world)).toContain('big');
  });

  test('is bounded for one installation, whatever limits its functions have', async () => {
    await using world = await guests({ instancesOfOneMax: 2 });
    for (const cpuMs of [1_000, 2_000, 3_000]) {
      expect((await world.call('one', hello, { limits: { cpuMs } })).outcome.kind).toBe('ok');
    }
    expect(running(world)).toHaveLength(2);
  });
});

test('who waits too long for a place is told so', async () => {
  await using world = await guests({ limits: { inFlightMax: 1, waitMs: 100 } });
  const code = 'export const run = () => new Promise((done) => setTimeout(() => done(1), 600))';
  const [first, second] = await Promise.all([world.call('one', code), world.call('one', code)]);
  expect([first.outcome.kind, second.outcome]).toMatchObject(['ok', { kind: 'denied', reason: 'busy' }]);
});
