import type { Client } from 'pg';
import { connect, type ConnectionUrl } from './connection.ts';
import { fromDriver } from './database-errors.ts';
import { ownerRole, servingRoles } from './scope.ts';
import { tableGateQueries } from './table-gate-queries.ts';

export interface TableGateOptions {
  /** The tables of schema public that hold no tenant data. */
  readonly controlTables: readonly string[];
  /** Tenant tables of which an organization sees its own rows (`applications`). */
  readonly organizationTables?: readonly string[];
  /** Objects in other schemas that a serving role may reach, as `schema.table` or `schema.function`. */
  readonly allowed?: readonly string[];
}

/**
 * Every way in which the migrated database would let a tenant see or change what is another's, one sentence each; none
 * is the answer that lets a build pass. Reads only the catalogues, so a table is held to the rules the moment it exists.
 */
export async function tableGate(ownerUrl: ConnectionUrl, options: TableGateOptions): Promise<string[]> {
  let client: Client;
  try {
    client = await connect(ownerUrl, 'bulkhead-gate');
  } catch (error) {
    throw fromDriver(error);
  }
  try {
    await client.query(`begin read only; set local role ${ownerRole}`);
    return await gateFindings(client, options);
  } finally {
    await client.end();
  }
}

/** The same on a connection that is open, so that it sees what its transaction has not committed. */
export async function gateFindings(client: Client, options: TableGateOptions): Promise<string[]> {
  const values = [options.controlTables, options.organizationTables ?? [], options.allowed ?? [], servingRoles];
  const findings: string[] = [];
  for (const text of tableGateQueries) {
    const { rows } = await client.query<{ finding: string }>(`${given} ${text}`, values);
    findings.push(...rows.map((row) => row.finding));
  }
  return findings.sort();
}

/** Every query gets the same four lists, whichever it reads. */
const given =
  'with given as (select $1::text[] as control_tables, $2::text[] as organization_tables, $3::text[] as allowed, $4::text[] as serving_roles)';
