import type { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { VARIABLES_MAX } from '@bulkhead/protocol';
import type { InstallTx } from '../installs/index.ts';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import { type StoredVariable, storedVariable, type VariableRow, variableRevisions } from './variable-store.ts';

export const installVariableValues = defineSealedColumn({
  table: 'function_install_variables',
  column: 'value_sealed',
  key: ['client_key', 'environment', 'name'],
});

function of({ applicationId, clientKey }: InstallTx, environment: string) {
  return sql`application_id = ${applicationId} and client_key = ${clientKey} and environment = ${environment}`;
}

/** Sets a variable for one install in an environment it is in. `full`: there are as many as there may be. */
export async function putInstallVariable(
  tx: InstallTx,
  vault: Vault,
  { environment, name, secret, value, now }: { environment: string; name: string; secret: boolean; value: Secret; now: Date },
): Promise<'put' | 'full'> {
  const { applicationId, clientKey } = tx;
  // Holds the row until the commit: one writer at a time, so that two cannot both take the last place.
  await raiseRevision(tx, environment);
  const { held } = await tx.one<{ held: number }>(
    sql`select count(*) as held from function_install_variables where ${of(tx, environment)} and name <> ${name}`,
  );
  if (Number(held) >= VARIABLES_MAX) return 'full';
  const sealed = await vault.seal(tx, installVariableValues.place(applicationId, [clientKey, environment, name]), value);
  await tx.execute(sql`
    insert into function_install_variables (application_id, client_key, environment, name, secret, value_sealed, modified_at)
    values (${applicationId}, ${clientKey}, ${environment}, ${name}, ${secret}, ${sealed}, ${now})
    on conflict (application_id, client_key, environment, name) do update
       set secret = excluded.secret, value_sealed = excluded.value_sealed, modified_at = excluded.modified_at`);
  return 'put';
}

/** False where there is none. */
export async function deleteInstallVariable(tx: InstallTx, environment: string, name: string): Promise<boolean> {
  const deleted = await tx.execute(sql`delete from function_install_variables where ${of(tx, environment)} and name = ${name}`);
  if (deleted === 1) await raiseRevision(tx, environment);
  return deleted === 1;
}

async function raiseRevision(tx: InstallTx, environment: string): Promise<void> {
  await tx.execute(sql`update function_installs set variables_revision = ${variableRevisions.generate()} where ${of(tx, environment)}`);
}

export async function listInstallVariables(tx: InstallTx, environment: string): Promise<StoredVariable[]> {
  const rows = await tx.query<VariableRow>(sql`
    select name, secret, value_sealed, modified_at from function_install_variables where ${of(tx, environment)} order by name collate "C"`);
  return rows.map(storedVariable);
}

export function openInstallVariable(tx: InstallTx, vault: Vault, environment: string, { name, sealed }: StoredVariable): Promise<Secret> {
  return vault.open(tx, installVariableValues.place(tx.applicationId, [tx.clientKey, environment, name]), sealed);
}
