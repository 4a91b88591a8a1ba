import { defineId, type Secret } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { VARIABLES_MAX } from '@bulkhead/protocol';
import { controlHeader, type Vault } from '../vault/index.ts';
import type { AppEnvironment } from './deployment-store.ts';

export const variableRevisions = defineId('vrv');

/** A variable as it is stored; its value is sealed. */
export interface StoredVariable {
  readonly name: string;
  /** Its value is shown to nobody. */
  readonly secret: boolean;
  readonly sealed: Buffer;
  readonly modifiedAt: Date;
}

export interface VariableRow {
  name: string;
  secret: boolean;
  value_sealed: Buffer;
  modified_at: Date;
}

export const storedVariable = (row: VariableRow): StoredVariable => ({
  name: row.name,
  secret: row.secret,
  sealed: row.value_sealed,
  modifiedAt: row.modified_at,
});

/** Where a value is sealed that is of no Application. */
function placeOf({ organizationId, appKey, environment }: AppEnvironment, name: string): string {
  return `function_variables|${organizationId}|${appKey}|${environment}|${name}`;
}

function of({ organizationId, appKey, environment }: AppEnvironment) {
  return sql`organization_id = ${organizationId} and app_key = ${appKey} and environment = ${environment}`;
}

/** Sets a variable for all installs of an environment that is there. `full`: there are as many as there may be. The App is locked. */
export async function putVariable(
  tx: Tx,
  vault: Vault,
  { name, secret, value, now, ...environment }: AppEnvironment & { name: string; secret: boolean; value: Secret; now: Date },
): Promise<'put' | 'full'> {
  const { organizationId, appKey, environment: at } = environment;
  const { held } = await tx.one<{ held: number }>(
    sql`select count(*) as held from function_variables where ${of(environment)} and name <> ${name}`,
  );
  if (Number(held) >= VARIABLES_MAX) return 'full';
  const sealed = await vault.sealControl(tx, placeOf(environment, name), value);
  await tx.execute(sql`
    insert into function_variables (organization_id, app_key, environment, name, secret, value_sealed, modified_at)
    values (${organizationId}, ${appKey}, ${at}, ${name}, ${secret}, ${sealed}, ${now})
    on conflict (organization_id, app_key, environment, name) do update
       set secret = excluded.secret, value_sealed = excluded.value_sealed, modified_at = excluded.modified_at`);
  await raiseRevision(tx, environment);
  return 'put';
}

/** False where there is none. */
export async function deleteVariable(tx: Tx, environment: AppEnvironment, name: string): Promise<boolean> {
  const deleted = await tx.execute(sql`delete from function_variables where ${of(environment)} and name = ${name}`);
  if (deleted === 1) await raiseRevision(tx, environment);
  return deleted === 1;
}

async function raiseRevision(tx: Tx, environment: AppEnvironment): Promise<void> {
  await tx.execute(sql`update function_environments set variables_revision = ${variableRevisions.generate()} where ${of(environment)}`);
}

export async function listVariables(tx: Tx, environment: AppEnvironment): Promise<StoredVariable[]> {
  const rows = await tx.query<VariableRow>(sql`
    select name, secret, value_sealed, modified_at from function_variables where ${of(environment)} order by name collate "C"`);
  return rows.map(storedVariable);
}

export function openVariable(vault: Vault, environment: AppEnvironment, { name, sealed }: StoredVariable): Promise<Secret> {
  return vault.openControl(placeOf(environment, name), sealed);
}

/**
 * Seals values anew that another root key than the named one sealed; at most `limit`. Answers how many. For the system role, while the root
 * key rotates.
 */
export async function resealVariables(tx: Tx, vault: Vault, rootKeyId: string, limit: number): Promise<number> {
  const header = controlHeader(rootKeyId);
  const rows = await tx.query<VariableRow & { organization_id: string; app_key: string; environment: string }>(sql`
    select organization_id, app_key, environment, name, secret, value_sealed, modified_at from function_variables
     where substring(value_sealed from 1 for ${header.byteLength}::int) <> ${header} limit ${limit}`);
  for (const row of rows) {
    const environment = { organizationId: row.organization_id, appKey: row.app_key, environment: row.environment };
    const sealed = await vault.sealControl(tx, placeOf(environment, row.name), await openVariable(vault, environment, storedVariable(row)));
    await tx.execute(sql`
      update function_variables set value_sealed = ${sealed}
       where ${of(environment)} and name = ${row.name} and value_sealed = ${row.value_sealed}`);
  }
  return rows.length;
}
