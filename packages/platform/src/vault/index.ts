export { type NewCredential, type OpenCredential } from './credential.ts';
export { type CredentialKey, type CredentialRow, deleteCredential, findCredential, openCredential, replaceCredential, storeCredential, type StoredCredential, storedCredential } from './credential-store.ts';
export { type AskForRefresh, type RefreshHooks } from './refresh-attempt.ts';
export { CredentialRefresher, type CredentialRefresherOptions, type CredentialUse } from './refresh-credential.ts';
export { type RevocationOptions, revokeCredentialTask, revokeLater } from './revoke-credential.ts';
export { type RootKey, rootKey } from './root-key.ts';
export { type ResolvedService, type ResolveService } from './upstream-client.ts';
export { type Place, Vault } from './vault.ts';
export { type Timers } from './waiters.ts';
