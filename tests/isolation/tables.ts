/** The tables that hold no tenant data. Whoever adds one says here why it may be found without a tenant. */
export const controlTables = [
  // Who owns Applications.
  'organizations',
  // A Meta token names no tenant.
  'meta_tokens',
  // What was done with Meta tokens, and their Idempotency-Keys.
  'organization_audit_entries',
  'organization_idempotency_keys',
  // The chain over what an organization did, the keys of all chains (sealed), and how far they reach: one row.
  'organization_audit_seals',
  'audit_keys',
  'audit_sealing',
  // The id of the key that the keys of all tenants are sealed under: one row.
  'root_key_claims',
  // Which Apps an organization may install: descriptors that vendors publish.
  'apps',
  // The code of their functions, which is the same for every Application.
  'function_deployments',
  'function_environments',
  // What it sets for all installs of an environment (sealed).
  'function_variables',
  // The keys of this host that sign installs; the private halves are sealed.
  'install_keys',
  // How far a rotation of keys has come; of deleted Applications, ids only: their rows are gone.
  'key_rotations',
  'deletions_awaiting_root_key',
] as const;

/** What runs as the owner although a serving role calls it, and why that shows nobody a row. */
const allowed = [
  // Makes and drops partitions of the event log, which only an owner can. Reads no row; the system role alone may call it.
  'public.bulkhead_keep_event_partitions',
] as const;

/** What the gate is told about the migrated database. */
export const gateOptions = { controlTables, organizationTables: ['applications'], allowed } as const;
