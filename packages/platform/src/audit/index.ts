export { type AuditEntry, appendAudit, appendOrganizationAudit, audit, auditOrganization } from './audit-log.ts';
