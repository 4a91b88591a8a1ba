import type { Secret } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { InvocationPrincipal } from '../access/index.ts';
import { enterInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { findVersion } from './deployment-store.ts';
import { listInstallVariables, openInstallVariable } from './install-variable-store.ts';
import { listVariables, openVariable } from './variable-store.ts';

/**
 * The variables that the manifest of the running version declares: what is set for the install, else for the environment, else the default.
 * One that has none of these is not among them.
 */
export async function variablesOfCall(
  { db, vault }: { db: Database; vault: Vault },
  { applicationId, organizationId, appKey, clientKey, environment, version }: InvocationPrincipal,
): Promise<ReadonlyMap<string, Secret | string>> {
  const of = { organizationId, appKey, environment };
  const { declared, set } = await db.withOrganization(organizationId, async (tx) => {
    const deployment = await findVersion(tx, { ...of, version });
    const variables = deployment?.manifest.variables ?? [];
    return { declared: variables, set: variables.length === 0 ? [] : await listVariables(tx, of) };
  });
  const values = new Map<string, Secret | string>();
  if (declared.length === 0) return values;
  const names = new Set(declared.map(({ name }) => name));
  for (const variable of declared) if (variable.default !== undefined) values.set(variable.name, variable.default);
  for (const variable of set) if (names.has(variable.name)) values.set(variable.name, await openVariable(vault, of, variable));
  await db.withTenant(applicationId, async (tenantTx) => {
    const tx = await enterInstall(tenantTx, clientKey);
    for (const variable of await listInstallVariables(tx, environment))
      if (names.has(variable.name)) values.set(variable.name, await openInstallVariable(tx, vault, environment, variable));
  });
  return values;
}
