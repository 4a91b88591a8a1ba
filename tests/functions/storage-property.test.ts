import { openTestHost } from '@bulkhead/functions-kit/testing';
import type { StorageDeclaration } from '@bulkhead/protocol';
import { type FakeApp, FakeRunner, startFakeApp, World } from '@bulkhead/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

/** Random calls of two installs, one between the other's, at a server and at the host in memory, which holds nothing in common for two tenants. */
const DECLARED: StorageDeclaration = {
  entities: [
    {
      name: 'item',
      attributes: { group: { type: 'string' }, rank: { type: 'float' }, name: { type: 'string' }, on: { type: 'boolean' } },
      indexes: ['rank', { name: 'grouped', partition: ['group'], range: ['name'] }],
    },
  ],
};

const PLACE = Symbol.for('bulkhead.host');
const places = globalThis as Record<symbol, unknown>;
type Ask = (body: unknown) => Promise<Record<string, unknown>>;

let world: World;
let app: FakeApp;
const runner = new FakeRunner();
let applications: string[];
let tokens: string[] = [];
const memory: { ask: Ask; advance: (ms: number) => void }[] = [];

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  const manifest = { app: 'notes', functions: [{ key: 'held', handler: 'index.held' }], storage: DECLARED };
  await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code: 'export {};' });
  applications = [(await world.application()).id, (await world.application()).id];
  for (const id of applications) {
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    const host = openTestHost({ storage: DECLARED, now: world.clock.now() });
    const { fetch: ask } = places[PLACE] as { fetch: typeof fetch };
    delete places[PLACE];
    memory.push({
      ask: async (body) =>
        (await ask('http://host.bulkhead.internal/storage', { method: 'POST', body: JSON.stringify(body) })).json() as Promise<
          Record<string, unknown>
        >,
      advance: (ms) => host.advance(ms),
    });
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** Begins a call for each install: tokens last a minute. */
async function begin(): Promise<void> {
  runner.release();
  runner.calls.length = 0;
  for (const id of applications)
    void world.meta('POST', `/applications/${id}/installs/notes/invoke`, { function: 'held' }).catch(() => undefined);
  await vi.waitUntil(() => runner.calls.length === 2, { timeout: 15_000 });
  tokens = applications.map((id) => runner.calls.find((call) => call.applicationId === id)!.token);
}

const server =
  (tenant: number): Ask =>
  async (body) =>
    (await world.call('POST', '/internal/functions/storage', { headers: { authorization: `Bearer ${tokens[tenant]}` }, body })).json;

/** As both hosts must say it: a cursor is opaque, and a refusal is its code. */
function comparable(answer: Record<string, unknown>): unknown {
  if (typeof answer['code'] === 'string') return answer['code'];
  const { cursor, results, ...rest } = answer;
  return {
    ...rest,
    ...('cursor' in answer && { more: cursor !== null }),
    ...(Array.isArray(results) && { results: results.map((each) => ('error' in each ? each.error.code : each)) }),
  };
}

/** The answer, and those to all pages that follow. */
async function answersOf(ask: Ask, body: Record<string, unknown>): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (let cursor: unknown; ; ) {
    const answer = await ask({ ...body, ...(cursor !== undefined && { cursor }) });
    answers.push(comparable(answer));
    cursor = answer['cursor'];
    if (cursor === undefined || cursor === null) return answers;
  }
}

const KEYS = ['a', 'ab', 'b', '\uff01', '\u{1f600}'] as const;
const key = fc.constantFrom(...KEYS);
const text = fc.constantFrom('', 'x', 'xy', 'y', '\u{1f600}', '\uff01');
const rank = fc.constantFrom(-1e9, -1, -0.5, 0, 0.5, 1, 1e9);
const attributes = fc.record({ group: fc.constantFrom('g', 'h'), rank, name: text, on: fc.boolean() }, { requiredKeys: [] });
const place = fc.oneof(
  fc.record({ key }),
  fc.record({ key, entity: fc.constant('item') }),
  fc.record({ key, secret: fc.constant(true as const) }),
);
const condition = fc.option(
  fc.oneof(
    fc.constantFrom('absent', 'present'),
    fc.record({ version: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ or: fc.tuple(fc.record({ attribute: fc.constant('rank'), condition: fc.constant('lessThan'), values: fc.tuple(rank) })) }),
  ),
  { nil: undefined },
);
const set = fc
  .tuple(
    place,
    attributes,
    fc.option(fc.constantFrom(1, 2), { nil: undefined }),
    condition,
    fc.constantFrom(undefined, 'previous', 'latest'),
  )
  .map(([where, value, ttl, when, back]) => ({ op: 'set', ...where, value, ttl_seconds: ttl, if: when, return: back }));
const get = place.map((where) => ({ op: 'get', ...where }));
const remove = fc
  .tuple(place, condition, fc.constantFrom(undefined, 'previous'))
  .map(([where, when, back]) => ({ op: 'delete', ...where, if: when, return: back }));
const order = fc.constantFrom('ascending', 'descending');
const limit = fc.integer({ min: 1, max: 3 });
const filter = fc.option(
  fc.oneof(
    fc.record({
      and: fc.tuple(fc.record({ attribute: fc.constant('on'), condition: fc.constant('equalTo'), values: fc.tuple(fc.boolean()) })),
    }),
    fc.record({
      and: fc.tuple(
        fc.record({
          attribute: fc.constant('name'),
          condition: fc.constantFrom('contains', 'beginsWith', 'notEqualTo', 'greaterThan'),
          values: fc.tuple(text),
        }),
      ),
    }),
    fc.constant({
      or: [
        { attribute: 'group', condition: 'notExists' },
        { attribute: 'rank', condition: 'exists' },
      ],
    }),
  ),
  { nil: undefined },
);
const one = (values: fc.Arbitrary<unknown>, ...conditions: string[]) =>
  fc.record({ condition: fc.constantFrom(...conditions), values: fc.tuple(values) });
const ORDERED = ['equalTo', 'lessThan', 'lessThanEqualTo', 'greaterThan', 'greaterThanEqualTo'];
const byRank = fc.record({ index: fc.constant('rank'), range: fc.option(one(rank, ...ORDERED), { nil: undefined }) });
const byGroup = fc.record({
  index: fc.constant('grouped'),
  partition: fc.tuple(fc.constantFrom('g', 'h')),
  range: fc.option(
    fc.oneof(one(text, 'beginsWith', ...ORDERED), fc.record({ condition: fc.constant('between'), values: fc.tuple(text, text) })),
    { nil: undefined },
  ),
});
const byKey = fc.record({ index: fc.constant('by-key'), range: fc.option(one(key, 'beginsWith', ...ORDERED), { nil: undefined }) });
const call = fc.oneof(
  { weight: 6, arbitrary: set },
  { weight: 2, arbitrary: get },
  { weight: 2, arbitrary: remove },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('', 'a', '\uff01'), limit, order)
      .map(([prefix, most, way]) => ({ op: 'query', prefix, limit: most, order: way })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.oneof(byRank, byGroup, byKey), filter, limit, order)
      .map(([by, when, most, way]) => ({ op: 'entity_query', entity: 'item', ...by, filter: when, limit: most, order: way })),
  },
  { weight: 1, arbitrary: fc.array(fc.oneof(set, get, remove), { minLength: 1, maxLength: 5 }).map((items) => ({ op: 'batch', items })) },
  { weight: 1, arbitrary: fc.array(fc.oneof(set, remove), { minLength: 1, maxLength: 4 }).map((items) => ({ op: 'transaction', items })) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ tenant: fc.constantFrom(0, 1), call }) },
  { weight: 1, arbitrary: fc.record({ advanceMs: fc.constantFrom(1, 999, 1_000) }) },
);

/** Runs of random steps, each call at the server as `asTenant` says and in memory. Answers how many calls were answered and not refused. */
async function compare(asTenant: (tenant: number) => number, numRuns: number): Promise<number> {
  let done = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
      await begin();
      for (const each of steps) {
        if ('advanceMs' in each) {
          world.clock.advance(each.advanceMs);
          for (const { advance } of memory) advance(each.advanceMs);
          continue;
        }
        const said = await answersOf(server(asTenant(each.tenant)), each.call);
        if (typeof said[0] === 'object') done++;
        expect(said, JSON.stringify(each)).toEqual(await answersOf(memory[each.tenant]!.ask, each.call));
      }
    }),
    // What was kept stays from run to run, so a run that fails is not tried smaller.
    { numRuns, endOnFailure: true },
  );
  return done;
}

test('random calls of two installs, interleaved, are answered as by two hosts that know nothing of each other', {
  timeout: 280_000,
}, async () => {
  expect(await compare((tenant) => tenant, 40)).toBeGreaterThan(300);
});

test('control: where both speak for one install, it is found out', { timeout: 60_000 }, async () => {
  await expect(compare(() => 0, 40)).rejects.toThrow();
});
