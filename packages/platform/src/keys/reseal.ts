import { type ApplicationId, PlatformError } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { type DefinedSealedColumn, sealedHeader, type Vault } from '../vault/index.ts';

export interface Resealed {
  readonly done: number;
  /** `table.column row` of values that no data key opens. */
  readonly unreadable: readonly string[];
  /** Where to go on; null: this was the last of them. */
  readonly next: readonly (string | Buffer)[] | null;
}

/**
 * Seals values of one column of one Application anew that are sealed under another version than `newest`; at most `limit`, from
 * behind `after` on. A value that somebody has replaced since it was read stays (compare-and-swap). As the system role: to
 * it the triggers that count changes of settings are deaf.
 */
export async function resealSome(
  tx: Tx,
  vault: Vault,
  column: DefinedSealedColumn,
  { applicationId, newest, after, limit }: { applicationId: ApplicationId; newest: number; after: Resealed['next']; limit: number },
): Promise<Resealed> {
  const table = sql.identifier(column.table);
  const sealed = sql.identifier(column.column);
  const tenant = sql.identifier(column.tenant);
  const keys = sql.join(column.key.map((name) => sql.identifier(name)));
  const behind = after === null ? sql`true` : sql`(${keys}) > (${sql.join(after)})`;
  const version = column.version === undefined ? sql`null` : sql.identifier(column.version);
  const rows = await tx.query<Record<string, string | Buffer> & { sealed_value: Buffer; value_version: number | null }>(sql`
    select ${keys}, ${sealed} as sealed_value, ${version} as value_version from ${table}
     where ${tenant} = ${applicationId} and ${sealed} is not null and substring(${sealed} from 1 for 4) <> ${sealedHeader(newest)} and ${behind}
     order by ${keys} limit ${limit}`);
  const unreadable: string[] = [];
  let done = 0;
  let last: (string | Buffer)[] | null = null;
  for (const row of rows) {
    const key = column.key.map((name) => row[name]!);
    last = key;
    const place = column.place(applicationId, key, row.value_version ?? undefined);
    try {
      const anew = await vault.seal(tx, place, await vault.open(tx, place, row.sealed_value));
      const mine = sql.join(
        column.key.map((name, index) => sql`${sql.identifier(name)} = ${key[index]!}`),
        sql` and `,
      );
      done += await tx.execute(sql`
        update ${table} set ${sealed} = ${anew} where ${tenant} = ${applicationId} and ${mine} and ${sealed} = ${row.sealed_value}`);
    } catch (thrown) {
      if (!(thrown instanceof PlatformError) || thrown.code !== 'vault.unreadable') throw thrown;
      unreadable.push(`${place.table}.${place.column} ${place.row}`);
    }
  }
  return { done, unreadable, next: rows.length < limit ? null : last };
}
