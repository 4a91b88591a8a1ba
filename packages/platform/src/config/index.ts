export { type Config, ConfigError, configFrom, type FunctionLimits, type RateLimits } from './config.ts';
export { readEnvironment } from './env.ts';
export { readKeyFile, replaceFile, shredFile, writeNewFile, writeNewKeyFile } from './key-file.ts';
export { loadRootKey, rootKeyPath } from './secrets.ts';
export { SETTINGS, unknownSettings } from './settings.ts';
