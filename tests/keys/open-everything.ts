import { type ApplicationId, systemClock } from '@bulkhead/base';
import { type KeyService, SEALED_COLUMNS, Vault } from '@bulkhead/platform';
import { type Database, sql } from '@bulkhead/postgres';

export interface Opened {
  /** `table.column` of each value that opened, once per value. */
  readonly opened: readonly string[];
  /** `application: table.column row` of each that did not. */
  readonly closed: readonly string[];
  readonly versions: ReadonlySet<number>;
}

/** Tries to open every sealed value of a database with these keys, as a process that has just been started; of one Application where named. */
export async function openEverything(db: Database, keys: KeyService, only?: string): Promise<Opened> {
  const vault = new Vault({ keys, clock: systemClock });
  const opened: string[] = [];
  const closed: string[] = [];
  const versions = new Set<number>();
  for (const column of SEALED_COLUMNS) {
    await db.withSystem('open everything in a test', async (tx) => {
      const names = sql.join(
        [...column.key, column.tenant, ...(column.version === undefined ? [] : [column.version])].map((name) => sql.identifier(name)),
      );
      const sealed = sql.identifier(column.column);
      const rows = await tx.query<Record<string, string | Buffer | number> & { sealed_value: Buffer }>(sql`
        select ${names}, ${sealed} as sealed_value from ${sql.identifier(column.table)}
         where ${sealed} is not null and ${sql.identifier(column.tenant)} is not null`);
      for (const row of rows) {
        const applicationId = row[column.tenant] as ApplicationId;
        if (only !== undefined && applicationId !== only) continue;
        const key = column.key.map((name) => row[name] as string | Buffer);
        const version = column.version === undefined ? undefined : Number(row[column.version]);
        const place = column.place(applicationId, key, version);
        try {
          await vault.open(tx, place, row.sealed_value);
          opened.push(`${place.table}.${place.column}`);
          versions.add(row.sealed_value.readUInt32BE());
        } catch {
          closed.push(`${applicationId}: ${place.table}.${place.column} ${place.row}`);
        }
      }
    });
  }
  return { opened, closed, versions };
}
