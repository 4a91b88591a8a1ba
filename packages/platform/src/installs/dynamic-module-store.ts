import { type JsonValue, sql, type TenantTx } from '@bulkhead/postgres';
import type { DynamicModules } from './app.ts';

/** Holds the install until the transaction ends, so that two changes of its modules do not lose one another. */
export async function lockInstall(tx: TenantTx, clientKey: string): Promise<void> {
  await tx.execute(sql`select 1 from app_installs where application_id = ${tx.applicationId} and client_key = ${clientKey} for update`);
}

export async function writeDynamicModules(
  tx: TenantTx,
  { clientKey, modules, now }: { clientKey: string; modules: DynamicModules; now: Date },
): Promise<void> {
  await tx.execute(sql`
    update app_installs set dynamic_modules = ${sql.json(modules as unknown as JsonValue)}, modified_at = ${now}
     where application_id = ${tx.applicationId} and client_key = ${clientKey}`);
}
