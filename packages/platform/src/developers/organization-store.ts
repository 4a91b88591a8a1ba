import { sql, type Tx } from '@bulkhead/postgres';
import { organizationId } from './organization.ts';

/** Who owns Applications and Meta tokens: a company, or a team of it. One sees nothing of another. */
export interface Organization {
  readonly organizationId: string;
  readonly name: string;
  readonly createdAt: Date;
}

interface OrganizationRow {
  organization_id: string;
  name: string;
  created_at: Date;
}

function organization(row: OrganizationRow): Organization {
  return { organizationId: row.organization_id, name: row.name, createdAt: row.created_at };
}

export async function insertOrganization(tx: Tx, name: string, now: Date): Promise<Organization> {
  return organization(
    await tx.one<OrganizationRow>(sql`
      insert into organizations (organization_id, name, created_at) values (${organizationId.generate()}, ${name}, ${now})
      returning organization_id, name, created_at`),
  );
}

/** All of them, the first one first. */
export async function listOrganizations(tx: Tx): Promise<Organization[]> {
  const rows = await tx.query<OrganizationRow>(sql`
    select organization_id, name, created_at from organizations order by created_at, organization_id`);
  return rows.map(organization);
}

export async function findOrganization(tx: Tx, id: string): Promise<Organization | null> {
  const row = await tx.maybe<OrganizationRow>(sql`
    select organization_id, name, created_at from organizations where organization_id = ${id}`);
  return row === null ? null : organization(row);
}
