import type { ApplicationId } from '@bulkhead/base';
import { type Database, type Sql, sql, type SqlValue, type TenantTx, type Tx } from '@bulkhead/postgres';

/** Which of the two locks is taken off: the policies of the database, the `where application_id = …` of the statements. */
export interface Broken {
  readonly policies: boolean;
  readonly clauses: boolean;
}

/** The statement without its tenant: each `application_id = $1` of it holds for every row. */
function withoutTenant(statement: Sql): Sql {
  const strings = [...statement.strings];
  for (let at = 0; at < strings.length - 1; at++) {
    const compared = /(?:\b\w+\.)?application_id = $/.exec(strings[at]!);
    if (compared === null || (/\b(?:set|insert)\s[^;]*$/i.test(strings[at]!.slice(0, compared.index)) && !/\bwhere\b/i.test(strings[at]!)))
      continue;
    strings[at] = `${strings[at]!.slice(0, compared.index)}(true or ${compared[0]}`;
    strings[at + 1] = `)${strings[at + 1]!}`;
  }
  return sql(Object.assign(strings, { raw: strings }) as unknown as TemplateStringsArray, ...(statement.values as SqlValue[]));
}

function withoutClauses<Scoped extends Tx>(tx: Scoped): Scoped {
  const loose: Tx = {
    origin: tx.origin,
    query: (statement) => tx.query(withoutTenant(statement)),
    // The first of several: a broken statement finds more than one row, and a bug would show that one.
    one: async <Row extends object>(statement: Sql) => (await tx.query<Row>(withoutTenant(statement)))[0]!,
    maybe: async <Row extends object>(statement: Sql) => (await tx.query<Row>(withoutTenant(statement)))[0] ?? null,
    execute: (statement) => tx.execute(withoutTenant(statement)),
    onCommit: (callback) => tx.onCommit(callback),
  };
  return { ...tx, ...loose };
}

/** A database in which a tenant's transaction has lost one lock or both. Everything else is as it was. */
export function brokenDatabase(db: Database, broken: Broken): Database {
  const withTenant = <T>(applicationId: ApplicationId, work: (tx: TenantTx) => Promise<T>): Promise<T> => {
    const run = (tx: TenantTx): Promise<T> => work(broken.clauses ? withoutClauses(tx) : tx);
    return broken.policies
      ? db.withSystem('broken on purpose', (tx) => run(Object.assign(tx, { applicationId })))
      : db.withTenant(applicationId, run);
  };
  return {
    ...db,
    withTenant,
    recall: async (applicationId, _name, statement, make) => make(await withTenant(applicationId, (tx) => tx.query(statement()))),
    tenantQuery: (applicationId, statement) => withTenant(applicationId, (tx) => tx.query(statement)),
    tenantQueries: (applicationId, statements) => withTenant(applicationId, (tx) => Promise.all(statements.map((each) => tx.query(each)))),
  };
}
