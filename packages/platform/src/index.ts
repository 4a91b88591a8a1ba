export { eventTypes } from './events/index.ts';
export {
  APPLICATION_LEDGER,
  appendOrganizationAudit,
  type AuditLogId,
  type AuditTrail,
  auditTrailOf,
  entriesInOrder,
  findErasure,
  type Finding,
  formatHead,
  type Head,
  ORGANIZATION_LEDGER,
  ownersOf,
  parseHead,
  provideAuditTrail,
  sealAudit,
  type StoredEntry,
  type Verified,
  verifyAuditLog,
} from './audit/index.ts';
export { type Config, ConfigError, configFrom, type RateLimits, readEnvironment, SETTINGS, unknownSettings } from './config/index.ts';
export {
  deleteMetaToken,
  ensureFirstOrganization,
  findOrganization,
  insertOrganization,
  issueMetaToken,
  listMetaTokens,
  listOrganizations,
  META_SCOPES,
  type MetaToken,
  type Organization,
} from './developers/index.ts';
export {
  addRevoked,
  type Found,
  findMatches,
  type Match,
  NOTHING_REVOKED,
  type Reach,
  type Revoked,
  revokeMatches,
  type Selection,
} from './incidents/index.ts';
export {
  type FunctionLimits,
  type FunctionRunner,
  type JobLimits,
  RUNNER_ENDED,
  type RunnerCall,
  type RunnerCheck,
} from './functions/index.ts';
export { type InstallKeyRotation, rotateInstallKeys } from './installs/index.ts';
export {
  createPlatform,
  MIGRATIONS_FOLDER,
  type Platform,
  type PlatformOptions,
  prepareFirstOrganization,
  provideAuditTrailOf,
} from './platform.ts';
export {
  type DataRotationResult,
  type KeyStatus,
  keyStatus,
  type ReportProgress,
  type RootRotationResult,
  rotateDataKeys,
  rotateRootKey,
  SEALED_COLUMNS,
} from './keys/index.ts';
export {
  ApplicationKeyFolder,
  claimKeys,
  EnvironmentKeys,
  FileKeys,
  hasRootKey,
  type KeyService,
  type KeysRefused,
  openKeyService,
  Vault,
} from './vault/index.ts';
