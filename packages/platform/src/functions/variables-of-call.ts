import { Secret } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { InvocationPrincipal } from '../access/index.ts';
import { enterInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { findVersion } from './deployment-store.ts';
import { listInstallVariables, openInstallVariable } from './install-variable-store.ts';
import { listVariables, openVariable, type StoredVariable } from './variable-store.ts';

export interface GivenVariable {
  readonly value: Secret;
  /** It is taken out of what the guest writes. */
  readonly secret: boolean;
}

/**
 * The variables that the manifest of the running version declares: what is set for the install, else for the environment, else the default.
 * One that has none of these is not among them.
 */
export async function variablesOfCall(
  { db, vault }: { db: Database; vault: Vault },
  { applicationId, organizationId, appKey, clientKey, environment, version }: InvocationPrincipal,
): Promise<ReadonlyMap<string, GivenVariable>> {
  const of = { organizationId, appKey, environment };
  const { declared, set } = await db.withOrganization(organizationId, async (tx) => {
    const deployment = await findVersion(tx, { ...of, version });
    const variables = deployment?.manifest.variables ?? [];
    return { declared: variables, set: variables.length === 0 ? [] : await listVariables(tx, of) };
  });
  const values = new Map<string, GivenVariable>();
  if (declared.length === 0) return values;
  const names = new Set(declared.map(({ name }) => name));
  const declaredAsSecrets = new Set(declared.filter((variable) => variable.secret === true).map(({ name }) => name));
  const give = ({ name, secret }: Pick<StoredVariable, 'name' | 'secret'>, value: Secret) =>
    values.set(name, { value, secret: secret || declaredAsSecrets.has(name) });
  for (const variable of declared)
    if (variable.default !== undefined) give({ name: variable.name, secret: false }, new Secret(variable.default));
  for (const variable of set) if (names.has(variable.name)) give(variable, await openVariable(vault, of, variable));
  await db.withTenant(applicationId, async (tenantTx) => {
    const tx = await enterInstall(tenantTx, clientKey);
    for (const variable of await listInstallVariables(tx, environment))
      if (names.has(variable.name)) give(variable, await openInstallVariable(tx, vault, environment, variable));
  });
  return values;
}
