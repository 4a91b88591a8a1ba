import { SEALED_COLUMNS } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

/** Bytes that hold no secret that could be opened: hashes, MACs, digests, and what a root key wraps. */
const NOT_SEALED_UNDER_DATA_KEYS = [/_hash$/, /_digest$/, /^digest$/, /^mac$/, /^previous$/];
/** Wrapped by the root key; its rotation has them by name. */
const UNDER_THE_ROOT_KEY = [
  'data_keys.wrapped_key',
  'audit_keys.sealed_key',
  'install_keys.private_key_sealed',
  'function_variables.value_sealed',
];
/** In clear, since the database orders by it (docs/decisions/0044-what-functions-keep.md). */
const IN_CLEAR = ['function_index_entries.range_bytes'];

const binaryColumns = () =>
  database.database.withSystem('list binary columns in a test', (tx) =>
    tx.query<{ table: string; column: string }>(sql`
      select relname as table, attname as column from pg_attribute join pg_class on pg_class.oid = attrelid
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and atttypid = 'bytea'::regtype and attnum > 0 and not attisdropped
         and relname <> 'bulkhead_migrations' order by 1, 2`),
  );

describe('the list of sealed columns', () => {
  test('names every binary column of the migrated database that is no hash: a new one cannot be forgotten by a rotation', async () => {
    const found = (await binaryColumns())
      .filter(({ column }) => !NOT_SEALED_UNDER_DATA_KEYS.some((form) => form.test(column)))
      .map(({ table, column }) => `${table}.${column}`)
      .filter((name) => !IN_CLEAR.includes(name));
    const listed = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`);
    expect(found).toEqual([...listed, ...UNDER_THE_ROOT_KEY].sort());
  });

  test('names the key of each row, by which a value is bound to it', async () => {
    for (const column of SEALED_COLUMNS) {
      const rows = await database.database.withSystem('read a primary key in a test', (tx) =>
        tx.query<{ name: string }>(sql`
          select attname as name from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
           where indrelid = ${column.table}::regclass and indisprimary order by 1`),
      );
      const primary = rows.map(({ name }) => name).filter((name) => name !== 'application_id');
      expect([...column.key].sort(), column.table).toEqual(primary);
    }
  });
});
