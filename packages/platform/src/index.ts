export { type Config, ConfigError, configFrom, loadRootKey, readEnvironment } from './config/index.ts';
export { checkRootKey, createPlatform, holdsSecrets, MIGRATIONS_FOLDER, type Platform, type PlatformOptions, prepareFirstOrganization } from './platform.ts';
