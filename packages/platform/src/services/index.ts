export { buildAuthorizationUrl, type AuthorizationUrlInput, createPkce } from './authorization-request.ts';
export { checkAuthorizationResponse } from './authorization-response.ts';
export { catalogue, catalogueEntries, type CatalogueEntry, findCatalogueEntry, upstreamService } from './catalogue/index.ts';
export { isHeaderSafe, type PlacedCredential, placeCredential, type UpstreamCredential } from './credential-placement.ts';
export { effectiveScope, matchServices, missingScopes, narrows, resolveScope, upstreamScopes } from './scope.ts';
export { formatScope, parseScope, type Scope, type ScopeRole, type ScopeToken } from './scope-text.ts';
export {
  endpointsFingerprint,
  type OAuth2Auth,
  parseServiceDefinition,
  type ServiceDefinition,
  type ServiceDefinitionInput,
  serviceDefinitionSchema,
  serviceIdSchema,
} from './service-definition.ts';
export { apiBaseUrl, customService, type RevocationStyle, type ScopeMap, type ServiceQuirks, type UpstreamService } from './service.ts';
export { servicesErrors } from './services-errors.ts';
export type { UpstreamCall, UpstreamFetch } from './upstream-http.ts';
export { fetchIdentity, type IdentityInput } from './upstream-identity.ts';
export { redeemCode, type RedeemInput, refresh, type UpstreamExchange } from './upstream-oauth.ts';
export { revoke, type RevokeInput } from './upstream-revocation.ts';
export { discover, resolveServer, type UpstreamServer } from './upstream-server.ts';
export type { RefreshResult, RevokeResult, UpstreamClient, UpstreamIdentity, UpstreamTokens } from './upstream-tokens.ts';
