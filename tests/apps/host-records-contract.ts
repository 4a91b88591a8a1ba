import type { HostRecords } from '@bulkhead/app-kit';
import { expect } from 'vitest';

async function listed<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of all) found.push(each);
  return found;
}

/** What records are to an App, at whichever host: `notes` is one of a tenant, `elsewhere` the one of that name of another tenant. */
export async function expectRecords(notes: HostRecords, elsewhere: HostRecords): Promise<void> {
  const changed = { code: 'app_kit.record_changed' };
  const { version } = await notes.put('issue/1 ü', { text: 'first' }, { ifAbsent: true });
  await expect(notes.put('issue/1 ü', 'x', { ifAbsent: true })).rejects.toMatchObject(changed);
  expect(await notes.get('issue/1 ü')).toEqual({ key: 'issue/1 ü', version, value: { text: 'first' } });
  const next = await notes.put('issue/1 ü', null, { ifVersion: version });
  await expect(notes.put('issue/1 ü', 'late', { ifVersion: version })).rejects.toMatchObject(changed);
  await expect(notes.delete('issue/1 ü', { ifVersion: version })).rejects.toMatchObject(changed);
  await expect(notes.put('not there', 1, { ifVersion: version })).rejects.toMatchObject(changed);
  expect(await notes.get('issue/1 ü')).toEqual({ key: 'issue/1 ü', version: next.version, value: null });

  for (let n = 0; n < 5; n++) await notes.put(`page/${n}`, n);
  const first = await notes.list({ prefix: 'page/', pageSize: 2 });
  expect(first.records.map(({ key }) => key)).toEqual(['page/0', 'page/1']);
  const second = await notes.list({ prefix: 'page/', pageSize: 2, cursor: first.cursor! });
  expect(second.records.map(({ value }) => value)).toEqual([2, 3]);
  expect((await notes.list({ prefix: 'page/', pageSize: 2, cursor: second.cursor! })).cursor).toBeNull();
  const all = await listed(notes.all());
  expect(all.map(({ key }) => key)).toEqual(['issue/1 ü', 'page/0', 'page/1', 'page/2', 'page/3', 'page/4']);
  expect((await listed(notes.all({ prefix: 'page/' }))).length).toBe(5);

  expect(await listed(elsewhere.all())).toEqual([]);
  expect(await elsewhere.get('page/1')).toBeNull();
  expect([await notes.delete('page/1'), await notes.delete('page/1')]).toEqual([true, false]);
  // What was deleted and made anew is another.
  const before = (await notes.get('page/2'))!.version;
  await notes.delete('page/2');
  await notes.put('page/2', 'anew');
  await expect(notes.put('page/2', 'late', { ifVersion: before })).rejects.toMatchObject(changed);
}
