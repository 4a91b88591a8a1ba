import { sql } from '@bulkhead/postgres';
import { expect, test } from 'vitest';
import { testDatabase } from './database.ts';

test('two test databases share nothing', async () => {
  const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
  const nameOf = (of: typeof one) =>
    of.database.withControl('test', (tx) =>
      tx.one<{ name: string; role: string }>(sql`select current_database() as name, current_user as role`),
    );
  const names = await Promise.all([nameOf(one), nameOf(other)]);
  expect(new Set(names.map((each) => each.name)).size).toBe(2);
  expect(names.map((each) => each.role)).toEqual(['bulkhead_control', 'bulkhead_control']);
  await Promise.all([one.close(), other.close()]);
});

test('the template is migrated: the record of migrations is there', async () => {
  const { database, ownerUrl, close } = await testDatabase();
  expect(String(ownerUrl)).toBe('[redacted]');
  await expect(database.withControl('test', (tx) => tx.query(sql`select * from bulkhead_migrations`))).rejects.toThrow(/permission denied/);
  await close();
});
