export { type Clock, epochSeconds, ManualClock, systemClock } from './clock.ts';
export { defineTenantCredential, type IssuedCredential, issueControlCredential, type ParsedCredential } from './credential.ts';
export { cipherKey, open, seal } from './crypto/cipher.ts';
export { constantTimeEqual, hmacSha256, sha256 } from './crypto/hash.ts';
export {
  declaredErrors,
  defineErrors,
  type ErrorCatalogue,
  type ErrorEntry,
  type ErrorOptions,
  PlatformError,
  type WireErrorCode,
} from './error.ts';
export { type ApplicationId, applicationId, defineId, type Id, type IdKind } from './id.ts';
export { type Log, type LogFields, silentLog } from './log.ts';
export { type Random, randomBase62, systemRandom } from './random.ts';
export { Secret } from './secret.ts';
export { Turns } from './turns.ts';
