export { accountParams } from './account-messages.ts';
export { accountIdOf, accountRoutes } from './account-routes.ts';
export { findAccount } from './account-store.ts';
export { confirmAccount, connectAccount, type ConnectAccountInput } from './connect-account.ts';
export { credentialHooks } from './credential-hooks.ts';
export { disconnectAccount, disconnectAllAccounts } from './disconnect-account.ts';
export { forgetUnconfirmedTask } from './forget-unconfirmed.ts';
export { revokeUnused } from './revoke-unused.ts';
