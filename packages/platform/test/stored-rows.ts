import { type Database, sql } from '@bulkhead/postgres';
import type { World } from '@bulkhead/testkit';

/** Every row of every table that may be read, as text, under the table's name. */
type StoredRows = ReadonlyMap<string, readonly string[]>;

/** An entry of the audit log, as stored. */
export interface AuditRow {
  readonly application_id: string;
  readonly action: string;
  readonly actor: { readonly kind: string; readonly id?: string };
  readonly target: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What a step left behind. */
export interface Left {
  /** Tables that differ, other than the audit log. */
  readonly tables: readonly string[];
  readonly audit: readonly AuditRow[];
  /** Everything stored, as text. */
  readonly dump: string;
}

/** Does something, then everything that is left to do; answers what that left behind. */
export async function leftBy({ database, platform }: World, step: () => Promise<unknown>): Promise<Left> {
  const before = await storedRows(database.database);
  await step();
  await platform.runDueTasks();
  const after = await storedRows(database.database);
  return {
    tables: changedTables(before, after).filter((name) => name !== 'audit_entries'),
    audit: newRows(before, after, 'audit_entries').map((text) => JSON.parse(text) as AuditRow),
    dump: [...after.values()].flat().join('\n'),
  };
}

async function storedRows(db: Database): Promise<StoredRows> {
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

function changedTables(before: StoredRows, after: StoredRows): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)))
    .toSorted();
}

function newRows(before: StoredRows, after: StoredRows, table: string): readonly string[] {
  const known = new Set(before.get(table) ?? []);
  return (after.get(table) ?? []).filter((text) => !known.has(text));
}
