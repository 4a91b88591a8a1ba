import type { ApplicationId } from '@bulkhead/base';
import type { Database, Sql, TenantTx } from '@bulkhead/postgres';

/**
 * A scoped door where each statement is a transaction of its own: for reads that mostly need no statement at all, such as
 * opening a secret whose key is remembered. Nothing may be written through it that belongs together.
 */
export function singleStatements(db: Database, applicationId: ApplicationId): TenantTx {
  const query = <Row extends object>(statement: Sql): Promise<Row[]> => db.tenantQuery<Row>(applicationId, statement);
  return {
    origin: db.origin,
    applicationId,
    query,
    async one<Row extends object>(statement: Sql): Promise<Row> {
      const [row] = await query<Row>(statement);
      if (row === undefined) throw new TypeError('expected one row');
      return row;
    },
    async maybe<Row extends object>(statement: Sql): Promise<Row | null> {
      return (await query<Row>(statement))[0] ?? null;
    },
    async execute(statement) {
      return (await query(statement)).length;
    },
    onCommit() {
      throw new TypeError('nothing is held open that could commit');
    },
  };
}
