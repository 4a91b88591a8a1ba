export { type Config, ConfigError, configFrom, type LogLevel, type Role, type RootKeySource } from './config.ts';
export { type Environment, readEnvironment } from './env.ts';
export { loadRootKey } from './secrets.ts';
