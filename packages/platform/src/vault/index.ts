export { ApplicationKeyFolder } from './application-key-folder.ts';
export { claimKeys, hasRootKey, type KeysRefused } from './claim-keys.ts';
export type { NewCredential, OpenCredential } from './credential.ts';
export {
  type CredentialRow,
  credentialSecrets,
  deleteCredential,
  findCredential,
  openCredential,
  replaceCredential,
  REVOKED,
  storeCredential,
  type StoredCredential,
  storedCredential,
} from './credential-store.ts';
export {
  hasDataKey,
  insertAwaitingDeletion,
} from './data-key-store.ts';
export { EnvironmentKeys } from './environment-keys.ts';
export { FileKeys } from './file-keys.ts';
export {
  countDataKeysOfOthers,
  countUnrotated,
  type DataKeyCursor,
  deleteUnusedVersions,
  endRootKey,
  findClaim,
  listUnrotated,
  lockDataKeysOfOthers,
  lockNewestDataKey,
  replaceWrapping,
  switchRootKey,
} from './key-rotation-store.ts';
export type { KeyService, RetiredKey } from './key-service.ts';
export { openKeyService } from './open-key-service.ts';
export type { RefreshHooks } from './refresh-attempt.ts';
export { CredentialRefresher, type CredentialRefresherOptions, type CredentialUse } from './refresh-credential.ts';
export { revocation, revokeAllLater, revokeCredentialTask, revokeLater } from './revoke-credential.ts';
export { type DefinedSealedColumn, defineSealedColumn } from './sealed-column.ts';
export { singleStatements } from './single-statements.ts';
export type { ResolveService } from './upstream-client.ts';
export { controlHeader, type Place, sealedHeader, type Sealer, Vault } from './vault.ts';
