import { type Database, sql } from '@bulkhead/postgres';

/**
 * Columns that a refused request may change: when a credential was last shown, and that a flow is over whose answer came to another
 * browser (C1 wants it so).
 */
const TOUCHED = ['last_used_at', 'consumed_at'];

/** That a credential was shown, good or not, and that a flow was refused, is written down (C2, S4); nothing else may be. */
const RECORDED = ['credential.used', 'credential.refused', 'account.connect_refused'];

/** Every row of an Application in every table that has Applications' rows: table name to rows as text, in order. */
export async function rowsOfTenant(db: Database, applicationId: string): Promise<Record<string, string[]>> {
  return db.withSystem('look at all rows of a tenant', async (tx) => {
    const tables = await tx.query<{ name: string }>(sql`
      select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'application_id' order by 1`);
    const found: Record<string, string[]> = {};
    for (const { name } of tables) {
      const rows = await tx.query<{ text: string }>(sql`
        select (to_jsonb(entry) - ${TOUCHED}::text[])::text as text from ${sql.identifier(name)} entry where application_id = ${applicationId} and coalesce(to_jsonb(entry) ->> 'action' <> all (${RECORDED}::text[]), true) order by 1`);
      found[name] = rows.map(({ text }) => text);
    }
    return found;
  });
}
