export { type Config, ConfigError, configFrom } from './config.ts';
export { readEnvironment } from './env.ts';
export { loadRootKey } from './secrets.ts';
export { SETTINGS, unknownSettings } from './settings.ts';
