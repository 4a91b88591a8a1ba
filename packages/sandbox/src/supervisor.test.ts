import { getPriority } from 'node:os';
import { describe, expect, test, vi } from 'vitest';
import { guests } from './guest.testkit.ts';

const hello = 'export const run = (payload, context) => ({ payload, context });';

describe('a call', () => {
  test('is answered by the function it names, with its payload and context', async () => {
    await using world = await guests();
    const { outcome } = await world.call('one', hello, { payload: { a: [1] } });
    expect(outcome).toEqual({ kind: 'ok', value: '{"payload":{"a":[1]},"context":{"clientKey":"one"}}' });
  });

  test('that throws says what was thrown, and the instance answers on', async () => {
    await using world = await guests();
    const code = 'export const bad = () => { throw new TypeError("no") }; export const run = () => 1;';
    expect((await world.call('one', code, { name: 'bad' })).outcome).toMatchObject({ kind: 'threw', name: 'TypeError', message: 'no' });
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'ok', value: '1' });
    expect(world.supervisor.instances).toHaveLength(1);
  });

  test.each(['missing', 'constructor', '__proto__', 'toString'])('of %s, which the code does not export, is told so', async (name) => {
    await using world = await guests();
    expect((await world.call('one', hello, { name })).outcome).toMatchObject({ kind: 'threw', name: 'FunctionUnknown' });
  });

  test('into code that does not load says why', async () => {
    await using world = await guests();
    const { outcome } = await world.call('one', 'export const run = ;');
    expect(outcome).toMatchObject({ kind: 'crashed', detail: expect.stringContaining('SyntaxError') });
  });

  test('has the lines it wrote, with their levels, up to a limit', async () => {
    await using world = await guests({ limits: { logLinesMax: 3, logLineBytesMax: 20 } });
    const code = `export const run = () => { console.log('a', { b: 1 }); console.error('x'.repeat(100)); for (let i = 0; i < 10; i++) console.warn(i); };`;
    const { logs, logsDropped } = await world.call('one', code);
    expect(logs.map(({ level, message }) => `${level} ${message}`)).toEqual(['info a { b: 1 }', `error ${'x'.repeat(20)}`, 'warn 0']);
    expect(logsDropped).toBe(9);
  });

  test('with an answer that is too large is denied', async () => {
    await using world = await guests({ limits: { answerBytesMax: 10_000 } });
    expect((await world.call('one', `export const run = () => 'x'.repeat(20_000)`)).outcome).toEqual({
      kind: 'denied',
      reason: 'answer_too_large',
    });
  });

  test('with a payload that is too large is denied before anything starts', async () => {
    await using world = await guests({ limits: { payloadBytesMax: 100 } });
    expect((await world.call('one', hello, { payload: 'x'.repeat(200) })).outcome).toEqual({ kind: 'denied', reason: 'payload_too_large' });
    expect(world.supervisor.instances).toHaveLength(0);
  });
});

describe('an answer', () => {
  test('that is none, or too large, ends its instance: the next call has a new one', async () => {
    await using world = await guests();
    const code = `export const spoil = () => { JSON.stringify = () => 'nothing'; return 1; }; export const run = () => 1;`;
    expect((await world.call('one', code, { name: 'spoil' })).outcome).toMatchObject({ kind: 'crashed' });
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'ok', value: '1' });
  });

  test.each([
    ['99 arrays in an array', 100, { kind: 'ok' }],
    ['100 arrays in an array', 101, { kind: 'denied', reason: 'answer_too_deep' }],
  ])('of %s: %#', async (_, depth, outcome) => {
    await using world = await guests();
    const code = `export const run = () => { let deep = ['"[{'.repeat(500)]; for (let at = 1; at < ${depth}; at++) deep = [deep]; return deep; }`;
    expect((await world.call('one', code)).outcome).toMatchObject(outcome);
  });
});

describe('two tenants of the same code', () => {
  const counter = 'let count = 0; export const run = () => ++count;';

  test('share no variable of a module: 200 interleaved calls, none crossed', async () => {
    await using world = await guests({ limits: { waitingMax: 100 } });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => world.call(`t${index % 2}`, counter)));
    for (const tenant of [0, 1]) {
      const counts = answers
        .filter((_, index) => index % 2 === tenant)
        .map(({ outcome }) => (outcome.kind === 'ok' ? Number(outcome.value) : outcome));
      expect(new Set(counts)).toEqual(new Set(Array.from({ length: 100 }, (_, index) => index + 1)));
    }
    expect(new Set(world.supervisor.instances.map(({ pid }) => pid)).size).toBe(2);
  });

  test('control: under one identity the variable is shared', async () => {
    await using world = await guests();
    await world.call('both', counter);
    expect((await world.call('both', counter)).outcome).toEqual({ kind: 'ok', value: '2' });
  });
});

describe('a runaway', () => {
  const spin = 'export const run = () => { while (true); }';

  test('is killed within its budget of CPU while a neighbour answers', async () => {
    await using world = await guests();
    await world.call('calm', hello);
    const began = performance.now();
    const runaway = world.call('wild', spin, { limits: { cpuMs: 500 } }).then((result) => ({ ...result, took: performance.now() - began }));
    let answered = 0;
    let isOver = false;
    void runaway.finally(() => (isOver = true));
    while (!isOver) {
      expect((await world.call('calm', hello)).outcome.kind).toBe('ok');
      answered++;
    }
    expect((await runaway).outcome).toEqual({ kind: 'timeout', limit: 'cpu' });
    expect(answered).toBeGreaterThan(10);
  });

  test('goes behind all others before its budget is used up, and nobody else does', async () => {
    await using world = await guests();
    await world.call('calm', hello);
    const runaway = world.call('wild', spin, { limits: { cpuMs: 5_000, wallMs: 20_000 } });
    const niceOf = (tenant: string) => {
      const { pid } = world.supervisor.instances.find(({ identity }) => identity.clientKey === tenant) ?? {};
      return pid == null ? null : getPriority(pid);
    };
    await vi.waitUntil(() => niceOf('wild') === 15, 15_000);
    expect(niceOf('calm')).toBeLessThan(15);
    await world.supervisor.close();
    await runaway;
  });

  test('control: with a budget that is not reached the call is only ended by the clock', async () => {
    await using world = await guests();
    const { outcome } = await world.call('wild', spin, { limits: { cpuMs: 60_000, wallMs: 1_500 } });
    expect(outcome).toEqual({ kind: 'timeout', limit: 'wall' });
  });

  test.each([
    [
      'between awaits',
      'export const run = async () => { while (true) { await new Promise((done) => setTimeout(done)); const end = Date.now() + 50; while (Date.now() < end); } }',
    ],
    ['of microtasks', 'export const run = async () => { while (true) await null; }'],
    ['of a regular expression', `export const run = () => /^(a+)+$/.test('a'.repeat(60) + 'b')`],
  ])('%s is killed too', async (_, code) => {
    await using world = await guests();
    expect((await world.call('wild', code, { limits: { cpuMs: 400 } })).outcome).toEqual({ kind: 'timeout', limit: 'cpu' });
  });

  test('that goes on after the answer, because the function asked for it, is killed as well', async () => {
    await using world = await guests({ limits: { cpuMs: 300 } });
    const code = `import { waitUntil } from 'cloudflare:workers';
      export const run = () => { waitUntil(new Promise((done) => setTimeout(done, 20)).then(() => { while (true); })); return 1; }`;
    expect((await world.call('wild', code)).outcome).toEqual({ kind: 'ok', value: '1' });
    await expect.poll(() => world.supervisor.instances).toHaveLength(0);
  });

  test('does not begin after the answer: what is left for later does not happen', async () => {
    await using world = await guests();
    const code =
      'let late = 0; export const run = async () => { setTimeout(() => late++, 20); return late; }; export const stay = () => new Promise((done) => setTimeout(() => done(late), 300))';
    await world.call('one', code);
    expect((await world.call('one', code, { name: 'stay' })).outcome).toEqual({ kind: 'ok', value: '0' });
  });

  test('whose calls never end is let go after the time of a call, and the next call has a new process', async () => {
    await using world = await guests({ limits: { wallMs: 700 } });
    const code = 'export const hang = () => new Promise(() => setInterval(() => {}, 1000)); export const run = () => 1;';
    expect((await world.call('slow', code, { name: 'hang' })).outcome).toEqual({ kind: 'timeout', limit: 'wall' });
    expect((await world.call('slow', code)).outcome).toEqual({ kind: 'ok', value: '1' });
    await expect.poll(() => world.supervisor.instances).toHaveLength(1);
  });

  test('that is killed again and again is suspended, alone, for a while', async () => {
    await using world = await guests({ killsMax: 2, suspendedMs: 1_500, limits: { cpuMs: 100 } });
    for (let turn = 0; turn < 2; turn++) expect((await world.call('wild', spin)).outcome.kind).toBe('timeout');
    expect((await world.call('wild', hello)).outcome).toEqual({ kind: 'denied', reason: 'suspended', retryAfterSeconds: 2 });
    expect((await world.call('calm', hello)).outcome.kind).toBe('ok');
    await expect.poll(async () => (await world.call('wild', hello)).outcome.kind).toBe('ok');
  });
});

describe('memory', () => {
  test.each([
    ['of the heap', 'export const run = () => { const all = []; while (true) all.push(new Array(1000).fill({})); }'],
    [
      'of strings',
      `export const run = () => { const all = []; while (true) all.push('x'.repeat(1 << 16) + all.length + Math.random().toString().repeat(1000)); }`,
    ],
  ])('%s beyond its limit ends that instance alone', async (_, code) => {
    await using world = await guests({ limits: { cpuMs: 20_000 } });
    await world.call('calm', hello);
    const calm = world.supervisor.instances[0]!.pid;
    expect((await world.call('wild', code)).outcome).toEqual({ kind: 'memory' });
    expect((await world.call('calm', hello)).outcome.kind).toBe('ok');
    expect(world.supervisor.instances.map(({ pid }) => pid)).toEqual([calm]);
  });

  test('of buffers is refused to the guest by the limit of its process', async () => {
    await using world = await guests({ limits: { cpuMs: 20_000 } });
    const code =
      'export const run = () => { const all = []; try { while (true) all.push(new Uint8Array(16 << 20).fill(1)); } catch (error) { return [error.name, all.length < 60]; } }';
    const { outcome } = await world.call('wild', code, { limits: { residentMb: 2_000 } });
    expect(outcome).toEqual({ kind: 'ok', value: '["RangeError",true]' });
  });
});

describe('an instance', () => {
  test('ends when it has been idle, and its process with it', async () => {
    await using world = await guests({ idleMs: 100 });
    await world.call('one', hello);
    const { pid } = world.supervisor.instances[0]!;
    await expect.poll(() => world.supervisor.instances).toHaveLength(0);
    expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
  });

  test('of another version takes its place while the old one ends its calls', async () => {
    await using world = await guests();
    const slow = world.call('one', `export const run = () => new Promise((done) => setTimeout(() => done('old'), 600))`);
    await expect.poll(() => world.supervisor.instances).toHaveLength(1);
    expect((await world.call('one', `export const run = () => 'new'`)).outcome).toEqual({ kind: 'ok', value: '"new"' });
    expect((await slow).outcome).toEqual({ kind: 'ok', value: '"old"' });
    await expect.poll(() => world.supervisor.instances).toHaveLength(1);
  });

  test('that has been idle longest makes room; with none idle the call is denied', async () => {
    await using world = await guests({ instancesMax: 2 });
    const code = 'export const run = () => 1; export const wait = () => new Promise((done) => setTimeout(done, 800))';
    for (const tenant of ['one', 'two', 'one', 'three']) await world.call(tenant, code);
    await expect.poll(() => world.supervisor.instances.map(({ identity }) => identity.clientKey)).toEqual(['one', 'three']);
    const busy = await Promise.all(['one', 'three', 'four'].map((tenant) => world.call(tenant, code, { name: 'wait' })));
    expect(busy.map(({ outcome }) => outcome)).toEqual([
      expect.objectContaining({ kind: 'ok' }),
      expect.objectContaining({ kind: 'ok' }),
      { kind: 'denied', reason: 'busy', retryAfterSeconds: 1 },
    ]);
  });

  test('takes so many calls at a time, lets so many wait, and denies the rest', async () => {
    await using world = await guests({ limits: { inFlightMax: 2, waitingMax: 2 } });
    const code =
      'let now = 0; let most = 0; export const run = async () => { most = Math.max(most, ++now); await new Promise((done) => setTimeout(done, 100)); now--; return most; }';
    const results = await Promise.all(Array.from({ length: 6 }, () => world.call('one', code)));
    expect(results.filter(({ outcome }) => outcome.kind === 'denied')).toHaveLength(2);
    expect(results.filter(({ outcome }) => outcome.kind === 'ok' && Number(outcome.value) <= 2)).toHaveLength(4);
  });
});

describe('a check', () => {
  // What runs with the question, though the code is asked for nothing but its names.
  const curious = `Response.json = async (value) => { await fetch('http://x.example/').catch(() => undefined); return new Response(JSON.stringify(value)); };
    export const run = () => 1; export const other = 2;`;

  test('says which functions code exports, opens no door for it, and leaves no process', async () => {
    await using world = await guests();
    const { outcome } = await world.supervisor.check(curious, { A: 'b' });
    expect(outcome).toEqual({ kind: 'ok', value: '["run"]' });
    expect(world.asked).toEqual([]);
    await expect.poll(() => world.supervisor.instances.length).toBe(0);
  });

  test('control: the same code has a door when it is called', async () => {
    await using world = await guests();
    await world.call('one', curious, { name: '' });
    expect(world.asked.map(({ url }) => url)).toEqual(['http://x.example/']);
  });

  test.each([
    ['throws', `throw new TypeError('no'); export const run = 1;`, { kind: 'crashed', detail: expect.stringContaining('TypeError: no') }],
    ['never comes up', 'while (true);', { kind: 'timeout', limit: 'start' }],
    [
      'answers for ever',
      'Object.keys = () => { while (true); }; export const run = () => 1;',
      { kind: 'timeout', limit: expect.stringMatching(/cpu|wall/) },
    ],
  ])('of code that %s says so, and suspends nobody', async (_, code, outcome) => {
    await using world = await guests({ killsMax: 1 });
    for (let turn = 0; turn < 2; turn++) expect((await world.supervisor.check(code, {})).outcome).toEqual(outcome);
    expect((await world.call('one', hello)).outcome.kind).toBe('ok');
  });
});
