import { type TenantTx, sql } from '@bulkhead/postgres';

/** A transaction that sees one install of one Application, where it looks at what belongs to Apps. */
export interface InstallTx extends TenantTx {
  readonly clientKey: string;
}

/**
 * Confines a tenant transaction to one install until it ends: tables that are bound to an App show only its rows (restrictive policy
 * `install`). Before this they show nothing but an error.
 */
export async function enterInstall(tx: TenantTx, clientKey: string): Promise<InstallTx> {
  await tx.execute(sql`select set_config('bulkhead.client_key', ${clientKey}, true)`);
  return Object.assign(tx, { clientKey });
}
