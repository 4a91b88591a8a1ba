import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import type { InstallTx } from './install-scope.ts';

export const PROPERTIES_MAX = 100;

export const appPropertyValues = defineSealedColumn({
  table: 'app_properties',
  column: 'value_sealed',
  key: ['client_key', 'property_key'],
});

/** Keys of the properties of this install, in order. */
export async function listPropertyKeys(tx: InstallTx): Promise<string[]> {
  const rows = await tx.query<{ property_key: string }>(sql`
    select property_key from app_properties
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} order by property_key limit ${PROPERTIES_MAX}`);
  return rows.map((row) => row.property_key);
}

/** The JSON text as it was put; null where there is none. */
export async function findProperty(tx: InstallTx, vault: Vault, propertyKey: string): Promise<string | null> {
  const row = await tx.maybe<{ value_sealed: Buffer }>(sql`
    select value_sealed from app_properties
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and property_key = ${propertyKey}`);
  if (row === null) return null;
  return (await vault.open(tx, appPropertyValues.place(tx.applicationId, [tx.clientKey, propertyKey]), row.value_sealed)).reveal();
}

/** Puts a JSON text. `full`: the install has as many properties as it may, and this would be one more. */
export async function putProperty(
  tx: InstallTx,
  vault: Vault,
  { propertyKey, json, now }: { propertyKey: string; json: string; now: Date },
): Promise<'created' | 'updated' | 'full'> {
  const { applicationId, clientKey } = tx;
  // One writer of an install at a time, so that two cannot both take the last place.
  await tx.execute(sql`select 1 from app_installs where application_id = ${applicationId} and client_key = ${clientKey} for update`);
  const sealed = await vault.seal(tx, appPropertyValues.place(applicationId, [clientKey, propertyKey]), new Secret(json));
  const updated = await tx.execute(sql`
    update app_properties set value_sealed = ${sealed}, modified_at = ${now}
     where application_id = ${applicationId} and client_key = ${clientKey} and property_key = ${propertyKey}`);
  if (updated === 1) return 'updated';
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from app_properties where application_id = ${applicationId} and client_key = ${clientKey}`);
  if (held >= PROPERTIES_MAX) return 'full';
  await tx.execute(sql`
    insert into app_properties (application_id, client_key, property_key, value_sealed, created_at, modified_at)
    values (${applicationId}, ${clientKey}, ${propertyKey}, ${sealed}, ${now}, ${now})`);
  return 'created';
}

export async function deleteProperty(tx: InstallTx, propertyKey: string): Promise<boolean> {
  const deleted = await tx.execute(sql`
    delete from app_properties
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and property_key = ${propertyKey}`);
  return deleted === 1;
}
