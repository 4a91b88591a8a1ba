import { type Database, sql } from '@bulkhead/postgres';

/** Every row of every table as text, those of partitions by their parent; binary columns read `\x…`. What nobody may read at all is named instead. */
export async function everythingStored(
  db: Database,
): Promise<{ readonly text: string; readonly rows: number; readonly unreadable: readonly string[] }> {
  return db.withSystem('look at everything stored', async (tx) => {
    const tables = await tx.query<{ name: string; readable: boolean }>(sql`
      select relname as name, has_table_privilege(oid, 'select') as readable from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm') and not relispartition order by 1`);
    const rows: string[] = [];
    for (const { name } of tables.filter(({ readable }) => readable)) {
      const found = await tx.query<{ text: string }>(sql`select to_jsonb(entry)::text as text from ${sql.identifier(name)} entry`);
      rows.push(...found.map(({ text }) => `${name}: ${text}`));
    }
    return { text: rows.join('\n'), rows: rows.length, unreadable: tables.filter(({ readable }) => !readable).map(({ name }) => name) };
  });
}

/** The forms in which a text could lie in a dump. */
export function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const base64 = bytes.toString('base64').replace(/=+$/, '');
  return [
    secret,
    bytes.toString('hex'),
    base64,
    bytes.toString('base64url'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
}
