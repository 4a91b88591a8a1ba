export { appendAudit, appendOrganizationAudit, audit, auditOrganization } from './audit-log.ts';
