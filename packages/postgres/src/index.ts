export { type ConnectionUrl } from './connection.ts';
export {
  createDatabase,
  createDatabaseFrom,
  type CreateDatabaseOptions,
  createOperatorDatabase,
  dropDatabase,
  pingServer,
} from './database-copy.ts';
export { isForeignKeyViolation, isUniqueViolation } from './database-errors.ts';
export { type Database, type DatabaseOptions, notify, openDatabase, type SystemOptions } from './database.ts';
export { attachEmbeddedPostgres, type EmbeddedUrls, hasEmbeddedCluster } from './embedded/attach.ts';
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
export { examineServer } from './examine-server.ts';
export { type Listening, type ListenOptions } from './listener.ts';
export { migrate, type MigrateOptions } from './migrate.ts';
export { runPastDoors } from './past-doors.ts';
export { type BulkheadRole, ensureRoles, type EnsureRolesOptions } from './roles.ts';
export { type JsonValue, type Sql, sql, type SqlValue } from './sql.ts';
export { tableGate, type TableGateOptions } from './table-gate.ts';
export { type OrganizationTx, type TenantTx, type Tx } from './transaction.ts';
