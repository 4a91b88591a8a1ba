import { systemClock } from '@bulkhead/base';
import {
  appendOrganizationAudit,
  ensureFirstOrganization,
  findOrganization,
  insertOrganization,
  listOrganizations,
  type Organization,
} from '@bulkhead/platform';
import type { Tx } from '@bulkhead/postgres';
import { checkedName } from './checked-name.ts';
import { onDatabase } from './on-database.ts';
import { OPERATOR, printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export async function createOrganization(options: { readonly name: string; readonly json?: true }): Promise<void> {
  const name = checkedName(options.name);
  const now = new Date(systemClock.now());
  const made = await onDatabase((db) =>
    db.withControl('organizations create', async (tx) => {
      // The first one stays the first: what names none is meant for it.
      await ensureFirstOrganization(tx);
      const organization = await insertOrganization(tx, name, now);
      const { organizationId } = organization;
      await appendOrganizationAudit(tx, {
        organizationId,
        actor: OPERATOR,
        action: 'organization.created',
        at: now,
        target: organizationId,
      });
      return organization;
    }),
  );
  if (options.json) return printJson(wire(made));
  process.stdout.write(
    `${made.organizationId}  ${made.name}\nIt has no Meta token yet: npx bulkhead meta-tokens create --organization ${made.organizationId} --name …\n`,
  );
}

export async function showOrganizations(options: { readonly json?: true }): Promise<void> {
  const organizations = await onDatabase((db) =>
    db.withControl('organizations list', async (tx) => {
      await ensureFirstOrganization(tx);
      return listOrganizations(tx);
    }),
  );
  if (options.json) return printJson(organizations.map(wire));
  const rows = organizations.map(({ organizationId, name, createdAt }) => [
    organizationId,
    name,
    createdAt.toISOString().slice(0, 16).replace('T', ' '),
  ]);
  process.stdout.write(table(['ID', 'NAME', 'CREATED'], rows));
}

/** The organization that an option names, or the first one. */
export async function chosenOrganization(tx: Tx, id: string | undefined): Promise<string> {
  if (id === undefined) return ensureFirstOrganization(tx);
  const found = await findOrganization(tx, id);
  if (found === null)
    throw new UsageError(`--organization: there is none with the id "${id}". "npx bulkhead organizations list" shows the ids.`);
  return found.organizationId;
}

function wire({ organizationId, name, createdAt }: Organization) {
  return { id: organizationId, name, created: createdAt.toISOString() };
}
