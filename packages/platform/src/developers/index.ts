export { issueMetaToken } from './issue-meta-token.ts';
export { metaTokenAuthenticator } from './meta-token-authenticator.ts';
export { coversScope, META_SCOPES } from './meta-token-scopes.ts';
export { deleteMetaToken, ensureFirstOrganization, listMetaTokens, type MetaToken, registerMetaToken } from './meta-token-store.ts';
export { findOrganization, insertOrganization, listOrganizations, type Organization } from './organization-store.ts';
