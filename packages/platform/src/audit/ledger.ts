/** Whose log: an Application's, or an organization's own. */
export interface AuditLogId {
  readonly kind: 'application' | 'organization';
  readonly id: string;
}

/** The tables of a kind of log. */
export interface Ledger {
  readonly kind: AuditLogId['kind'];
  readonly entries: 'audit_entries' | 'organization_audit_entries';
  readonly seals: 'audit_seals' | 'organization_audit_seals';
  readonly owner: 'application_id' | 'organization_id';
  readonly owners: 'applications' | 'organizations';
}

export const APPLICATION_LEDGER: Ledger = {
  kind: 'application',
  entries: 'audit_entries',
  seals: 'audit_seals',
  owner: 'application_id',
  owners: 'applications',
};

export const ORGANIZATION_LEDGER: Ledger = {
  kind: 'organization',
  entries: 'organization_audit_entries',
  seals: 'organization_audit_seals',
  owner: 'organization_id',
  owners: 'organizations',
};

export function ledgerOf(kind: AuditLogId['kind']): Ledger {
  return kind === 'application' ? APPLICATION_LEDGER : ORGANIZATION_LEDGER;
}
