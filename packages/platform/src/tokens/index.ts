export { bearerAuthenticator, type PresentedToken } from './bearer-authenticator.ts';
export { clientAuthenticator } from './client-authenticator.ts';
export { issueAuthorizationCode } from './issue-authorization-code.ts';
export { issueImplicitToken } from './issue-implicit-token.ts';
export { revokeTokensOfAccounts } from './revoke-tokens-of-accounts.ts';
export { provenKey } from './proven-key.ts';
export { tokenRoutes } from './token-routes.ts';
