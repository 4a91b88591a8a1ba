import { describe, expect, test } from 'vitest';
import { type Guests, guests } from './guest.testkit.ts';

/** Ways in which a call may leave a mark and another may find it: each an expression that reads, and a statement that writes `who`. */
const PROBES = [
  ['a variable of the module', 'variable', 'variable = who'],
  ['a global', 'globalThis.mark', 'globalThis.mark = who'],
  ['a prototype', '({}).mark', 'Object.prototype.mark = who'],
  ['a changed built-in', 'Array.prototype.map.mark', 'Array.prototype.map.mark = who'],
  ['a module of the engine', 'AsyncLocalStorage.mark', 'AsyncLocalStorage.mark = who'],
  ['a module of the engine, by import()', "(await import('node:util')).format.mark", "(await import('node:util')).format.mark = who"],
  ['the host’s own object', "globalThis[Symbol.for('bulkhead.probe')]", "globalThis[Symbol.for('bulkhead.probe')] = who"],
  ['an event target', 'heard()', "bus.addEventListener('ask', (event) => event.answers.push(who))"],
  ['a closure kept in a map', 'kept.get("who")?.()', 'kept.set("who", () => who)'],
  ['a timer that is left', 'ticks.who', 'setInterval(() => { ticks.who = who; }, 1)'],
  ['the environment', 'process.env.mark', 'process.env.mark = who'],
  ['a regular expression of the language', 'RegExp.$1 || undefined', '/(.+)/.test(who)'],
] as const;

function code(): string {
  const probes = PROBES.map(([name, read, write]) => `[${JSON.stringify(name)}, async () => ${read}, async (who) => { ${write}; }]`);
  return `import { AsyncLocalStorage } from 'node:async_hooks';
    let variable;
    const bus = new EventTarget(); const kept = new Map(); const ticks = {};
    const heard = () => { const event = Object.assign(new Event('ask'), { answers: [] }); bus.dispatchEvent(event); return event.answers[0]; };
    const probes = [${probes.join(',\n')}];
    export const run = async (who) => {
      const seen = {};
      for (const [name, read] of probes) { const found = await read(); if (found !== undefined && found !== who) seen[name] = found; }
      for (const [, , write] of probes) await write(who);
      await new Promise((done) => setTimeout(done, 5));
      return seen;
    };`;
}

/** What the second tenant sees of the first, and the first of the second, in the instances that `placeOf` gives them. */
async function seen(world: Guests, placeOf: (tenant: string) => string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (const tenant of ['alder', 'birch', 'alder']) {
    const { outcome } = await world.call(placeOf(tenant), code(), { payload: tenant });
    if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
    found.push(JSON.parse(outcome.value) as Record<string, unknown>);
  }
  return found;
}

describe('F2: of two tenants of the same code', () => {
  test('neither sees anything that the other has left', async () => {
    await using world = await guests();
    expect(await seen(world, (tenant) => tenant)).toEqual([{}, {}, {}]);
  });

  test('control: in one isolate for both, each sees the other in every way', async () => {
    await using world = await guests();
    const [first, second, third] = await seen(world, () => 'an isolate for all');
    expect(first).toEqual({});
    expect(second).toEqual(Object.fromEntries(PROBES.map(([name]) => [name, 'alder'])));
    expect(Object.keys(third!).length).toBeGreaterThan(PROBES.length / 2);
  });
});
