import type { ApplicationId } from '@bulkhead/base';
import { type Sql, sql } from './sql.ts';

/** The roles that serve. None owns anything, logs in over another or bypasses row-level security. */
export const servingRoles = ['bulkhead_app', 'bulkhead_control', 'bulkhead_system'] as const;
export type ServingRole = (typeof servingRoles)[number];

/** The role that owns every table; only migrations use it. */
export const ownerRole = 'bulkhead_owner';

export interface ScopeLimits {
  /** Milliseconds one statement may take. */
  readonly statementTimeoutMs: number;
  /** Milliseconds a transaction may wait for us between statements. */
  readonly idleInTransactionTimeoutMs: number;
}

// Every setting is local: it ends with the transaction, so the next one on the same connection, ours or a
// pooler's, starts from nothing.
function limits(scope: ScopeLimits): Sql {
  return sql`set_config('statement_timeout', ${String(scope.statementTimeoutMs)}, true), set_config('idle_in_transaction_session_timeout', ${String(scope.idleInTransactionTimeoutMs)}, true)`;
}

export function tenantScope(applicationId: ApplicationId, scope: ScopeLimits): Sql {
  return sql`select set_config('role', 'bulkhead_app', true), set_config('bulkhead.application_id', ${applicationId}, true), ${limits(scope)}`;
}

export function organizationScope(organizationId: string, scope: ScopeLimits): Sql {
  return sql`select set_config('role', 'bulkhead_control', true), set_config('bulkhead.organization_id', ${organizationId}, true), ${limits(scope)}`;
}

export function controlScope(scope: ScopeLimits): Sql {
  return sql`select set_config('role', 'bulkhead_control', true), ${limits(scope)}`;
}

export function systemScope(scope: ScopeLimits): Sql {
  return sql`select set_config('role', 'bulkhead_system', true), ${limits(scope)}`;
}
