import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestHost, type TestHost } from '../testing/test-host.ts';
import { startsWith, storage } from './storage.ts';
import { Filter, FilterConditions, kvs, Sort, WhereConditions } from './kvs.ts';

const entities = [
  {
    name: 'employee',
    attributes: { surname: { type: 'string' as const }, age: { type: 'integer' as const }, nationality: { type: 'string' as const } },
    indexes: ['surname', { name: 'by-age', partition: ['nationality'], range: ['age'] }],
  },
];

let host: TestHost;
beforeEach(() => {
  host = openTestHost({ storage: { entities }, now: 1_800_000_000_000 });
});
afterEach(() => host.close());

const code = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (thrown: { code?: string }) => thrown.code,
  );

describe('kvs of @forge/kvs', () => {
  it('keeps values, with metadata where it is asked for', async () => {
    expect(await kvs.get('a')).toBeUndefined();
    expect(await kvs.set('a', { n: 1 })).toBeUndefined();
    expect(await kvs.get('a')).toEqual({ n: 1 });
    expect(await kvs.get('a', { metadataFields: ['CREATED_AT', 'UPDATED_AT', 'EXPIRE_TIME'] })).toEqual({
      key: 'a',
      value: { n: 1 },
      createdAt: 1_800_000_000_000,
      updatedAt: 1_800_000_000_000,
    });
    expect(await kvs.set('a', 2, { returnValue: 'PREVIOUS' })).toEqual({ key: 'a', value: { n: 1 } });
    await kvs.delete('a');
    await kvs.delete('a');
    expect(await kvs.get('a')).toBeUndefined();
  });

  it('lets values end after their ttl, and refuses to write over one that is there', async () => {
    await kvs.set('lock', 'mine', { ttl: { unit: 'MINUTES', value: 5 }, keyPolicy: 'FAIL_IF_EXISTS' });
    expect(await code(kvs.set('lock', 'yours', { keyPolicy: 'FAIL_IF_EXISTS' }))).toBe('KEY_CONFLICT');
    expect(await kvs.get('lock', { metadataFields: ['EXPIRE_TIME'] })).toMatchObject({ expireTime: '2027-01-15T08:05:00.000Z' });
    host.advance(300_000);
    await kvs.set('lock', 'yours', { keyPolicy: 'FAIL_IF_EXISTS' });
    expect(await kvs.get('lock')).toBe('yours');
  });

  it.each([
    ['', 'KEY_TOO_SHORT'],
    ['k'.repeat(501), 'KEY_TOO_LONG'],
    ['ä', 'INVALID_KEY'],
    ['  ', 'INVALID_KEY'],
  ])('refuses the key %j with %s', async (key, expected) => {
    expect(await code(kvs.get(key))).toBe(expected);
    expect(await code(kvs.set(key, 1))).toBe(expected);
  });

  it('keeps secrets apart: no query finds them, no key is the same', async () => {
    await kvs.setSecret('token', 's3cret');
    expect(await kvs.getSecret('token')).toBe('s3cret');
    expect(await kvs.get('token')).toBeUndefined();
    expect((await kvs.query().getMany()).results).toEqual([]);
    await kvs.deleteSecret('token');
    expect(await kvs.getSecret('token')).toBeUndefined();
  });

  it('pages through keys that begin with a text', async () => {
    for (const key of ['n-1', 'n-2', 'n-3', 'other']) await kvs.set(key, key);
    const query = kvs.query().where('key', WhereConditions.beginsWith('n-')).limit(2);
    const first = await query.getMany();
    expect(first.results.map(({ key }) => key)).toEqual(['n-1', 'n-2']);
    const second = await query.cursor(first.nextCursor!).getMany();
    expect(second).toEqual({ results: [{ key: 'n-3', value: 'n-3' }] });
    expect(await query.getOne()).toEqual({ key: 'n-1', value: 'n-1' });
    expect(() => kvs.query().where('key', WhereConditions.equalTo('a'))).toThrow('begins with');
  });

  it('asks entities by index, partition, range, filters and order', async () => {
    const employees = kvs.entity('employee');
    for (const [key, surname, age, nationality] of [
      ['1', 'Davis', 30, 'AU'],
      ['2', 'Scott', 41, 'AU'],
      ['3', 'Young', 52, 'NZ'],
      ['4', 'Drake', 28, 'AU'],
    ] as const)
      await employees.set(key, { surname, age, nationality });
    const found = async (query: { getMany(): Promise<{ results: { key: string }[] }> }) =>
      (await query.getMany()).results.map(({ key }) => key);
    const byAge = employees.query().index('by-age', { partition: ['AU'] });
    expect(await found(byAge)).toEqual(['4', '1', '2']);
    expect(await found(byAge.where(WhereConditions.between(29, 45)).sort(Sort.DESC))).toEqual(['2', '1']);
    expect(await found(byAge.filters(new Filter().and('surname', FilterConditions.beginsWith('D'))))).toEqual(['4', '1']);
    const either = new Filter().or('surname', FilterConditions.equalTo('Scott')).or('age', FilterConditions.lessThan(29));
    expect(await found(byAge.filters(either))).toEqual(['4', '2']);
    expect(() => either.and('age', FilterConditions.exists())).toThrow('not by both');
    expect(await code(employees.query().index('by-nothing').getMany())).toBe('INDEX_NOT_FOUND');
    expect(await code(employees.set('5', { surname: 5 }))).toBe('COMPLEX_QUERY_VALIDATION_FAILED');
    expect(await code(kvs.entity('nobody').get('1'))).toBe('ENTITY_NOT_FOUND');
    expect(await employees.get('1')).toEqual({ surname: 'Davis', age: 30, nationality: 'AU' });
    await employees.delete('1');
    expect(await employees.get('1')).toBeUndefined();
  });

  it('changes all of a transaction or nothing', async () => {
    await kvs.entity('employee').set('1', { surname: 'Davis' });
    const isScott = new Filter().and('surname', FilterConditions.equalTo('Scott'));
    const refused = kvs.transact().set('a', 1).check('1', { entityName: 'employee', conditions: isScott }).execute();
    expect(await code(refused)).toBe('KEY_CONFLICT');
    expect(await kvs.get('a')).toBeUndefined();
    const isDavis = new Filter().and('surname', FilterConditions.equalTo('Davis'));
    await kvs.transact().set('a', 1).delete('1', { entityName: 'employee', conditions: isDavis }).execute();
    expect([await kvs.get('a'), await kvs.entity('employee').get('1')]).toEqual([1, undefined]);
  });

  it('does of a batch what it can, and names the rest', async () => {
    expect(
      await kvs.batchSet([
        { key: 'a', value: 1 },
        { key: 'b', value: { surname: 7 }, entityName: 'employee' },
      ]),
    ).toEqual({
      successfulKeys: [{ key: 'a' }],
      failedKeys: [{ key: 'b', entityName: 'employee', error: { code: 'COMPLEX_QUERY_VALIDATION_FAILED', message: expect.any(String) } }],
    });
    expect(await kvs.batchGet([{ key: 'a' }, { key: 'b' }])).toEqual({
      successfulKeys: [{ key: 'a', value: 1 }],
      failedKeys: [{ key: 'b', error: { code: 'KEY_NOT_FOUND', message: expect.any(String) } }],
    });
    expect(await kvs.batchDelete([{ key: 'a' }])).toEqual({ successfulKeys: [{ key: 'a' }], failedKeys: [] });
    expect(await kvs.get('a')).toBeUndefined();
  });
});

describe('storage of @forge/api', () => {
  it('keeps at the same place, in its older form', async () => {
    await storage.set('n-1', 'one');
    expect(await kvs.get('n-1')).toBe('one');
    expect((await storage.query().where('key', startsWith('n-')).getMany()).results).toEqual([{ key: 'n-1', value: 'one' }]);
    await storage.entity('employee').set('1', { surname: 'Davis', age: 30 });
    await storage.entity('employee').set('2', { surname: 'Scott', age: 30 });
    const found = await storage
      .entity('employee')
      .query()
      .index('surname')
      .andFilter('age', FilterConditions.equalsTo(30))
      .andFilter('surname', FilterConditions.notEqualsTo('Davis'))
      .getMany();
    expect(found.results.map(({ key }) => key)).toEqual(['2']);
    await storage.setSecret('s', 'x');
    expect(await storage.getSecret('s')).toBe('x');
  });
});
