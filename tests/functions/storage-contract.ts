import { HostError, storage } from '@bulkhead/functions-kit';
import type { StorageDeclaration } from '@bulkhead/protocol';
import { expect, test } from 'vitest';

/** A host around the code of this process. */
export interface ContractHost {
  /** Lets time go by, in milliseconds. */
  advance(ms: number): Promise<void>;
  /** Another install of the same App, for the code from then on; the same again brings the first back. */
  switchTenant(): Promise<void>;
}

/** What the manifest of the contract declares. */
export const CONTRACT_STORAGE: StorageDeclaration = {
  entities: [
    {
      name: 'task',
      attributes: {
        list: { type: 'string' },
        due: { type: 'integer' },
        title: { type: 'string' },
        done: { type: 'boolean' },
        weight: { type: 'float' },
        extra: { type: 'any' },
      },
      indexes: ['due', { name: 'by-list', partition: ['list'], range: ['title'] }, { name: 'open', partition: ['list', 'done'] }],
    },
    { name: 'tag', attributes: { name: { type: 'string' } } },
  ],
};

const DAY_MS = 24 * 60 * 60_000;

const refused = (code: string) => expect.objectContaining({ code });
async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (thrown: unknown) => (thrown instanceof HostError ? thrown.code : String(thrown)),
  );
}

/** What `storage` of the functions-kit does, at whichever host. Each test has keys of its own. */
export function expectStorage(host: () => ContractHost): void {
  test('keeps JSON under a key as it came, names like "constructor" and numbers too', async () => {
    expect(await storage.get('plain/none')).toBeUndefined();
    for (const value of [null, 0, -0.5, 1e300, '', 'ü 😀 \u0000', [1, [2]], { constructor: 1, prototype: [{}], a: { b: null } }]) {
      await storage.set('plain/value', value);
      expect(await storage.get('plain/value')).toEqual(value);
    }
    expect([await storage.delete('plain/value'), await storage.delete('plain/value')]).toEqual([true, false]);
  });

  test('refuses what is no key or no value', async () => {
    const deep = (levels: number): never => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as never;
    for (const key of ['', 'a\u0000', '\ud800', 'x'.repeat(501), 'ü'.repeat(501)])
      expect(await codeOf(storage.set(key, 1)), key).toBe('request.invalid');
    expect(await codeOf(storage.set('bad/value', undefined as never))).toBe('request.invalid');
    expect(await codeOf(storage.set('bad/value', 'x'.repeat(240 * 1024)))).toBe('request.invalid');
    expect(await codeOf(storage.set('bad/value', deep(32)))).toBe('request.invalid');
    expect(await codeOf(storage.set('bad/value', 1, { ttlSeconds: 366 * 24 * 3600 }))).toBe('request.invalid');
    expect(await codeOf(storage.set('bad/value', 1, { ttlSeconds: 0 }))).toBe('request.invalid');
    expect(await storage.get('bad/value')).toBeUndefined();
    await storage.set('bad/value', deep(31));
    await storage.set('bad/value', 'x'.repeat(240 * 1024 - 2));
    await storage.delete('bad/value');
  });

  test('says when a value was made and changed, and gives no version twice', async () => {
    const first = await storage.set('times', 1);
    expect(first.createdAt).toEqual(first.updatedAt);
    expect(first.expiresAt).toBeNull();
    await host().advance(5_000);
    const second = await storage.set('times', 2, { return: 'previous' });
    expect(second.returned).toMatchObject({ key: 'times', value: 1, version: first.version });
    expect(second.createdAt).toEqual(first.createdAt);
    expect(second.updatedAt.getTime()).toBe(first.updatedAt.getTime() + 5_000);
    expect(await storage.getRecord('times')).toEqual({
      key: 'times',
      value: 2,
      version: second.version,
      createdAt: second.createdAt,
      updatedAt: second.updatedAt,
      expiresAt: null,
    });
    await storage.delete('times');
    const third = await storage.set('times', 3, { return: 'latest' });
    expect(third.returned).toMatchObject({ value: 3, version: third.version });
    expect(third.createdAt).toEqual(third.updatedAt);
    expect(new Set([first.version, second.version, third.version]).size).toBe(3);
    expect((await storage.set('times/none', 1, { return: 'previous' })).returned).toBeNull();
  });

  test('a value with a ttl is not there from its last millisecond on, in no way of asking', async () => {
    const { expiresAt, updatedAt } = await storage.set('ttl/a', 'short', { ttlSeconds: 10 });
    await storage.set('ttl/b', 'long', { ttlSeconds: 365 * 24 * 3600 });
    await storage.entity('task').set('ttl', { list: 'ttl', title: 'short' }, { ttlSeconds: 10 });
    expect(expiresAt!.getTime() - updatedAt.getTime()).toBe(10_000);
    await host().advance(9_999);
    expect(await storage.get('ttl/a')).toBe('short');
    await host().advance(1);
    expect(await storage.get('ttl/a')).toBeUndefined();
    expect(await storage.keys({ prefix: 'ttl/' })).toEqual(['ttl/b']);
    expect((await storage.query({ prefix: 'ttl/' })).records.map(({ key }) => key)).toEqual(['ttl/b']);
    expect((await storage.entity('task').query({ index: 'by-list', partition: ['ttl'] })).records).toEqual([]);
    expect(await storage.entity('task').get('ttl')).toBeUndefined();
    expect(await storage.delete('ttl/a')).toBe(false);
    // For a condition it is absent, and what comes after it is new.
    await storage.set('ttl/a', 'short', { ttlSeconds: 1 });
    await host().advance(1_000);
    const anew = await storage.set('ttl/a', 'anew', { if: 'absent', return: 'previous' });
    expect([anew.returned, anew.createdAt]).toEqual([null, anew.updatedAt]);
    // Set without a ttl it stays.
    await storage.set('ttl/b', 'for good');
    await host().advance(400 * DAY_MS);
    expect(await storage.get('ttl/b')).toBe('for good');
  });

  test('changes something only if it is as the call asks', async () => {
    const condition = 'function.storage_condition';
    expect(await codeOf(storage.set('if', 1, { if: 'present' }))).toBe(condition);
    const { version } = await storage.set('if', 1, { if: 'absent' });
    expect(await codeOf(storage.set('if', 2, { if: 'absent' }))).toBe(condition);
    const next = await storage.set('if', 2, { if: { version } });
    expect(await codeOf(storage.set('if', 3, { if: { version } }))).toBe(condition);
    expect(await codeOf(storage.delete('if', { if: { version } }))).toBe(condition);
    expect(await storage.get('if')).toBe(2);
    expect(await storage.delete('if', { if: { version: next.version } })).toBe(true);
    // What was deleted and made anew is another.
    await storage.set('if', 2);
    expect(await codeOf(storage.set('if', 3, { if: { version: next.version } }))).toBe(condition);
    await storage.set('if', { stock: 2 });
    const enough = { and: [{ attribute: 'stock', condition: 'greaterThan', values: [1] }] } as const;
    await storage.set('if', { stock: 1 }, { if: enough });
    expect(await codeOf(storage.set('if', { stock: 0 }, { if: enough }))).toBe(condition);
  });

  test('lists keys and values by prefix, page after page, by the bytes of their keys', async () => {
    const keys = ['q/\u{1f600}', 'q/a', 'q/B', 'q/ä', 'q/\uff01', 'q/a/1', 'q%', 'q0'];
    for (const key of keys) await storage.set(key, { of: key });
    const inOrder = ['q/B', 'q/a', 'q/a/1', 'q/ä', 'q/\uff01', 'q/\u{1f600}'];
    expect(await storage.keys({ prefix: 'q/' })).toEqual(inOrder);
    expect(await storage.keys({ prefix: 'q/', after: 'q/a', limit: 2 })).toEqual(['q/a/1', 'q/ä']);
    const first = await storage.query({ prefix: 'q/', limit: 4 });
    expect(first.records.map(({ key, value }) => [key, value])).toEqual(inOrder.slice(0, 4).map((key) => [key, { of: key }]));
    // A cursor names a place: it holds however long, and though what is there is gone.
    await storage.delete('q/ä');
    await host().advance(30 * DAY_MS);
    const second = await storage.query({ prefix: 'q/', limit: 4, cursor: first.cursor });
    expect([second.records.map(({ key }) => key), second.cursor]).toEqual([inOrder.slice(4), null]);
    const down: string[] = [];
    for await (const { key } of storage.all({ prefix: 'q/', limit: 2, order: 'descending' })) down.push(key);
    expect(down).toEqual(inOrder.filter((key) => key !== 'q/ä').toReversed());
    expect(await codeOf(storage.query({ prefix: 'q', cursor: first.cursor }))).toBe('function.storage_invalid');
    expect(await codeOf(storage.query({ cursor: 'nonsense' }))).toBe('function.storage_invalid');
  });

  test('a page that is full ends without a cursor where there is no more', async () => {
    for (const n of [1, 2, 3, 4]) await storage.set(`even/${n}`, n);
    const { cursor } = await storage.query({ prefix: 'even/', limit: 2 });
    expect((await storage.query({ prefix: 'even/', limit: 2, cursor })).cursor).toBeNull();
  });

  test('keeps secrets apart: neither queries nor plain keys show them', async () => {
    await storage.setSecret('apart', 'of the customer', { if: 'absent' });
    expect(await codeOf(storage.setSecret('apart', 'x', { if: 'absent' }))).toBe('function.storage_condition');
    expect(await storage.getSecret('apart')).toBe('of the customer');
    expect(await storage.get('apart')).toBeUndefined();
    expect(await storage.keys({ prefix: 'apart' })).toEqual([]);
    expect((await storage.query({ prefix: 'apart' })).records).toEqual([]);
    expect(await storage.delete('apart')).toBe(false);
    expect([await storage.deleteSecret('apart'), await storage.getSecret('apart')]).toEqual([true, undefined]);
  });

  test('an entity takes what it declares and nothing else', async () => {
    const tasks = storage.entity('task');
    await tasks.set('typed', { list: 'a', due: 1, title: 't', done: false, weight: 0.5, extra: [null] });
    expect(await tasks.get('typed')).toEqual({ list: 'a', due: 1, title: 't', done: false, weight: 0.5, extra: [null] });
    expect(await storage.get('typed')).toBeUndefined();
    for (const value of [
      { due: 1.5 },
      { due: '1' },
      { title: 1 },
      { done: 'no' },
      { weight: '1' },
      { other: 1 },
      { due: null },
      'text',
      [1],
      null,
    ])
      expect(await codeOf(tasks.set('typed', value as never)), JSON.stringify(value)).toBe('function.storage_invalid');
    expect(await codeOf(tasks.set('typed', { title: 'x'.repeat(901) }))).toBe('function.storage_invalid');
    expect(await codeOf(storage.entity('none').set('typed', {}))).toBe('function.storage_entity_unknown');
    expect(await codeOf(storage.entity('none').get('typed'))).toBe('function.storage_entity_unknown');
    expect([await tasks.delete('typed'), await tasks.get('typed')]).toEqual([true, undefined]);
  });

  test('an entity is queried by its indexes: partition, range, order', async () => {
    const tasks = storage.entity<{ list: string; title: string; due?: number; done?: boolean }>('task');
    const titles = ['b', 'a', 'ab', 'c', 'ä'];
    for (const [due, title] of titles.entries()) await tasks.set(`i${title}`, { list: 'index', title, due: due - 2, done: due % 2 === 0 });
    await tasks.set('other', { list: 'index 2', title: 'a' });
    const by = async (query: Parameters<typeof tasks.query>[0]) => (await tasks.query(query)).records.map(({ value }) => value.title);
    const byList = (query: object = {}) => by({ index: 'by-list', partition: ['index'], ...query });
    expect(await byList()).toEqual(['a', 'ab', 'b', 'c', 'ä']);
    expect(await byList({ order: 'descending' })).toEqual(['ä', 'c', 'b', 'ab', 'a']);
    expect(await byList({ range: { condition: 'beginsWith', values: ['a'] } })).toEqual(['a', 'ab']);
    expect(await byList({ range: { condition: 'between', values: ['ab', 'c'] } })).toEqual(['ab', 'b', 'c']);
    expect(await byList({ range: { condition: 'equalTo', values: ['ab'] } })).toEqual(['ab']);
    expect(await byList({ range: { condition: 'greaterThan', values: ['b'] } })).toEqual(['c', 'ä']);
    const byDue = (condition: string, ...values: number[]) => by({ index: 'due', range: { condition, values } as never });
    expect(await byDue('greaterThanEqualTo', -1)).toEqual(['a', 'ab', 'c', 'ä']);
    expect(await byDue('lessThan', 0)).toEqual(['b', 'a']);
    expect(await byDue('lessThanEqualTo', 0.5)).toEqual(['b', 'a', 'ab']);
    expect(await by({ index: 'open', partition: ['index', true] })).toEqual(['ab', 'b', 'ä']);
    expect(await by({ range: { condition: 'beginsWith', values: ['i'] } })).toEqual(['a', 'ab', 'b', 'c', 'ä']);
    // A value that moves is where it is now, and nowhere else.
    await tasks.set('ib', { list: 'index 2', title: 'z' });
    expect(await byList()).toEqual(['a', 'ab', 'c', 'ä']);
    expect(await by({ index: 'by-list', partition: ['index 2'] })).toEqual(['a', 'z']);
    for (const query of [
      { index: 'by-list' },
      { index: 'by-list', partition: ['index', 'x'] },
      { index: 'by-list', partition: [1] },
      { index: 'due', partition: ['x'] },
      { index: 'due', range: { condition: 'beginsWith', values: [1] } },
      { index: 'due', range: { condition: 'equalTo', values: ['1'] } },
      { index: 'open', partition: ['x', true], range: { condition: 'equalTo', values: ['1'] } },
      { filter: { and: [{ attribute: 'extra', condition: 'equalTo', values: [1] }] } },
      { filter: { and: [{ attribute: 'undeclared', condition: 'exists' }] } },
    ])
      expect(await codeOf(tasks.query(query as never)), JSON.stringify(query)).toBe('function.storage_invalid');
    expect(await codeOf(tasks.query({ index: 'none' }))).toBe('function.storage_index_unknown');
    expect(await codeOf(storage.entity('none').query())).toBe('function.storage_entity_unknown');
  });

  test('a filtered page is full as long as there is more, and the cursor goes on behind it', { timeout: 60_000 }, async () => {
    const tasks = storage.entity<{ list: string; title: string; weight: number; done?: boolean }>('task');
    for (let from = 0; from < 500; from += 25)
      await storage.batch(
        Array.from({ length: 25 }, (_, n) => ({
          op: 'set' as const,
          entity: 'task',
          key: `f${from + n}`,
          value: {
            list: 'filtered',
            title: String(from + n).padStart(3, '0'),
            weight: (from + n) % 50,
            ...((from + n) % 2 === 0 && { done: true }),
          },
        })),
      );
    const query = {
      index: 'by-list',
      partition: ['filtered'],
      limit: 3,
      filter: { and: [{ attribute: 'weight', condition: 'equalTo', values: [49] }] },
    } as const;
    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof tasks.query>> = await tasks.query({ ...query, cursor });
      pages.push(page.records.map(({ key }) => key));
      ({ cursor } = page);
    } while (cursor !== null);
    expect(pages).toEqual([['f49', 'f99', 'f149'], ['f199', 'f249', 'f299'], ['f349', 'f399', 'f449'], ['f499']]);
    const count = async (filter: object): Promise<number> => {
      let found = 0;
      for await (const _ of tasks.all({ index: 'by-list', partition: ['filtered'], limit: 100, filter: filter as never })) found++;
      return found;
    };
    expect(
      await count({
        and: [
          { attribute: 'done', condition: 'exists' },
          { attribute: 'weight', condition: 'lessThan', values: [10] },
        ],
      }),
    ).toBe(50);
    expect(await count({ and: [{ attribute: 'done', condition: 'notExists' }] })).toBe(250);
    expect(
      await count({
        or: [
          { attribute: 'title', condition: 'contains', values: ['99'] },
          { attribute: 'title', condition: 'beginsWith', values: ['49'] },
        ],
      }),
    ).toBe(14);
    expect(await count({ and: [{ attribute: 'title', condition: 'notContains', values: ['0'] }] })).toBe(4 * 81);
    expect(await count({ and: [{ attribute: 'weight', condition: 'notEqualTo', values: [0] }] })).toBe(490);
    expect(await count({ and: [{ attribute: 'weight', condition: 'between', values: [48, 49] }] })).toBe(20);
  });

  test('a batch does what it can, and says of each what became of it', async () => {
    await storage.set('batch/there', 1);
    const results = await storage.batch([
      { op: 'set', key: 'batch/a', value: 'a' },
      { op: 'set', key: 'batch/there', value: 2, if: 'absent' },
      { op: 'get', key: 'batch/a' },
      { op: 'delete', key: 'batch/none' },
      { op: 'set', entity: 'task', key: 'batch', value: { due: 'soon' } },
      { op: 'set', entity: 'task', key: 'batch', value: { due: 1 } },
    ]);
    expect(results).toMatchObject([
      { written: { expiresAt: null } },
      { error: refused('function.storage_condition') },
      { found: true, record: { value: 'a' } },
      { found: false },
      { error: refused('function.storage_invalid') },
      { written: {} },
    ]);
    expect([await storage.get('batch/there'), await storage.entity('task').get('batch')]).toEqual([1, { due: 1 }]);
    expect(await codeOf(storage.batch(Array.from({ length: 26 }, () => ({ op: 'get', key: 'k' }))))).toBe('request.invalid');
  });

  test('a transaction is done whole or not at all', async () => {
    await storage.set('tx/from', { money: 5 });
    const { version } = await storage.set('tx/guard', 1);
    const move = (guard: number) =>
      storage.transaction([
        { op: 'check', key: 'tx/guard', if: { version: guard } },
        { op: 'set', key: 'tx/to', value: { money: 5 }, ttlSeconds: 60 },
        { op: 'delete', key: 'tx/from', if: { and: [{ attribute: 'money', condition: 'greaterThanEqualTo', values: [5] }] } },
        { op: 'set', entity: 'task', key: 'tx', value: { list: 'tx', title: 'moved' } },
      ]);
    expect(await codeOf(move(version + 1))).toBe('function.storage_condition');
    expect([await storage.get('tx/to'), await storage.get('tx/from')]).toEqual([undefined, { money: 5 }]);
    await move(version);
    expect([await storage.get('tx/to'), await storage.get('tx/from')]).toEqual([{ money: 5 }, undefined]);
    expect((await storage.entity('task').query({ index: 'by-list', partition: ['tx'] })).records.map(({ key }) => key)).toEqual(['tx']);
    expect(await codeOf(move(version))).toBe('function.storage_condition');
    const twice = [1, 2].map((value) => ({ op: 'set' as const, key: 'tx/twice', value }));
    expect(await codeOf(storage.transaction(twice))).toBe('request.invalid');
    const large = Array.from({ length: 18 }, (_, n) => ({ op: 'set' as const, key: `tx/${n}`, value: 'x'.repeat(240_000) }));
    expect(await codeOf(storage.transaction(large))).toBe('request.invalid');
    await storage.transaction(large.slice(0, 17));
    await storage.transaction(large.slice(0, 17).map(({ key }) => ({ op: 'delete' as const, key })));
    expect(await storage.keys({ prefix: 'tx/' })).toEqual(['tx/guard', 'tx/to']);
  });

  test('keeps so much and no more; what is there may be put anew, and what has ended makes room', { timeout: 60_000 }, async () => {
    await host().switchTenant();
    const large = 'x'.repeat(240_000);
    const put = (from: number, ttlSeconds?: number) =>
      storage.batch(
        Array.from({ length: 17 }, (_, n) => ({
          op: 'set' as const,
          key: `full/${from + n}`,
          value: large,
          ...(ttlSeconds !== undefined && { ttlSeconds }),
        })),
      );
    for (let from = 0; from < 204; from += 17) await put(from, from === 0 ? 10 : undefined);
    const last = (await put(204)).map(({ error }) => error?.code ?? 'done');
    expect(last.filter((code) => code === 'done')).toHaveLength(218 - 204);
    expect(last.at(-1)).toBe('function.storage_full');
    await storage.set('full/1', large, { ttlSeconds: 10 });
    expect(await codeOf(storage.set('full/more', large))).toBe('function.storage_full');
    expect(await storage.delete('full/100')).toBe(true);
    await storage.set('full/more', large);
    expect(await codeOf(storage.set('full/more 2', large))).toBe('function.storage_full');
    await host().advance(10_000);
    await storage.set('full/more 2', large);
    expect((await storage.query({ prefix: 'full/', limit: 100 })).records).toHaveLength(17);
    await host().switchTenant();
  });

  test('shows one install nothing of another', async () => {
    await storage.set('mine', 1);
    await storage.setSecret('mine', 1);
    await storage.entity('task').set('mine', { list: 'mine', title: 'mine' });
    const cursor = (await storage.query({ limit: 1 })).cursor;
    await host().switchTenant();
    expect(await storage.get('mine')).toBeUndefined();
    expect(await storage.getSecret('mine')).toBeUndefined();
    expect((await storage.entity('task').query({ index: 'by-list', partition: ['mine'] })).records).toEqual([]);
    expect((await storage.query({ cursor, limit: 100 })).records.filter(({ key }) => !key.startsWith('full/'))).toEqual([]);
    await storage.set('mine', 2);
    await host().switchTenant();
    expect(await storage.get('mine')).toBe(1);
  });
}
