import { type Database, sql } from '@bulkhead/postgres';

/** Every row of every table that may be read, as text, under the table's name. */
export type StoredRows = ReadonlyMap<string, readonly string[]>;

export async function storedRows(db: Database): Promise<StoredRows> {
  return db.withSystem('look at everything stored', async (tx) => {
    const tables = await tx.query<{ name: string }>(sql`
      select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and has_table_privilege(oid, 'select') order by 1`);
    const stored = new Map<string, readonly string[]>();
    for (const { name } of tables) {
      const rows = await tx.query<{ text: string }>(sql`select to_jsonb(entry)::text as text from ${sql.identifier(name)} entry`);
      stored.set(name, rows.map(({ text }) => text).toSorted());
    }
    return stored;
  });
}

/** The tables whose rows differ. */
export function changedTables(before: StoredRows, after: StoredRows): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)))
    .toSorted();
}

/** Rows of a table that were not there before, parsed. */
export function newRows<Row>(before: StoredRows, after: StoredRows, table: string): readonly Row[] {
  const known = new Set(before.get(table) ?? []);
  return (after.get(table) ?? []).filter((text) => !known.has(text)).map((text) => JSON.parse(text) as Row);
}
