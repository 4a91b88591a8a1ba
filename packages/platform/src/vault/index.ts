export type { NewCredential, OpenCredential } from './credential.ts';
export {
  type CredentialRow,
  deleteCredential,
  findCredential,
  openCredential,
  replaceCredential,
  REVOKED,
  storeCredential,
  type StoredCredential,
  storedCredential,
} from './credential-store.ts';
export type { RefreshHooks } from './refresh-attempt.ts';
export { CredentialRefresher, type CredentialRefresherOptions, type CredentialUse } from './refresh-credential.ts';
export { revocation, revokeAllLater, revokeCredentialTask, revokeLater } from './revoke-credential.ts';
export { rootKey } from './root-key.ts';
export { singleStatements } from './single-statements.ts';
export type { ResolveService } from './upstream-client.ts';
export { type Place, Vault } from './vault.ts';
