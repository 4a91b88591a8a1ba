export { appendOrganizationAudit } from './audit/index.ts';
export { type Config, ConfigError, configFrom, loadRootKey, readEnvironment, SETTINGS, unknownSettings } from './config/index.ts';
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
  claimRootKey,
  createPlatform,
  hasRootKey,
  MIGRATIONS_FOLDER,
  type Platform,
  type PlatformOptions,
  prepareFirstOrganization,
} from './platform.ts';
