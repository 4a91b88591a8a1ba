import type { ApplicationId } from '@bulkhead/base';
import { type Sql, sql } from './sql.ts';

/** The roles that serve. None owns anything, logs in over another or bypasses row-level security. */
export const servingRoles = ['bulkhead_app', 'bulkhead_control', 'bulkhead_system'] as const;

/** The role that owns every table; only migrations use it. */
export const ownerRole = 'bulkhead_owner';

export interface ScopeLimits {
  /** Milliseconds one statement may take. */
  readonly statementTimeoutMs: number;
  /** Milliseconds a transaction may wait for us between statements. */
  readonly idleInTransactionTimeoutMs: number;
}

// Every setting is local: it ends with the transaction, so the next one on the same connection, ours or a pooler's,
// starts from nothing. One column, because four of them cost the client more than the server.

export function tenantScope(applicationId: ApplicationId, limits: ScopeLimits): Sql {
  return sql`select concat(set_config('role', 'bulkhead_app', true), set_config('bulkhead.application_id', ${applicationId}, true),
    set_config('statement_timeout', ${String(limits.statementTimeoutMs)}, true), set_config('idle_in_transaction_session_timeout', ${String(limits.idleInTransactionTimeoutMs)}, true)) is null`;
}

export function organizationScope(organizationId: string, limits: ScopeLimits): Sql {
  return sql`select concat(set_config('role', 'bulkhead_control', true), set_config('bulkhead.organization_id', ${organizationId}, true),
    set_config('statement_timeout', ${String(limits.statementTimeoutMs)}, true), set_config('idle_in_transaction_session_timeout', ${String(limits.idleInTransactionTimeoutMs)}, true)) is null`;
}

export function controlScope(limits: ScopeLimits): Sql {
  return sql`select concat(set_config('role', 'bulkhead_control', true),
    set_config('statement_timeout', ${String(limits.statementTimeoutMs)}, true), set_config('idle_in_transaction_session_timeout', ${String(limits.idleInTransactionTimeoutMs)}, true)) is null`;
}

export function systemScope(limits: ScopeLimits): Sql {
  return sql`select concat(set_config('role', 'bulkhead_system', true),
    set_config('statement_timeout', ${String(limits.statementTimeoutMs)}, true), set_config('idle_in_transaction_session_timeout', ${String(limits.idleInTransactionTimeoutMs)}, true)) is null`;
}
