export { buildAuthorizationUrl, createPkce, nonceFor } from './authorization-request.ts';
export { catalogueEntries, findCatalogueEntry, upstreamService } from './catalogue/index.ts';
export { isHeaderSafe, placeCredential, type UpstreamCredential } from './credential-placement.ts';
export { parseJsonExactly, readJsonPointer, readScalar } from './json-pointer.ts';
export { effectiveScope, matchServices, narrows, resolveScope, upstreamScopes } from './scope.ts';
export { methodsOfScope } from './scope-methods.ts';
export { formatScope, parseScope } from './scope-text.ts';
export {
  endpointsFingerprint,
  parseServiceDefinition,
  type ServiceDefinition,
  type ServiceDefinitionInput,
  serviceDefinitionSchema,
  serviceIdSchema,
} from './service-definition.ts';
export { apiBaseUrl, customService, type UpstreamService } from './service.ts';
export { servicesErrors } from './services-errors.ts';
export type { UpstreamCall } from './upstream-http.ts';
export { fetchIdentity } from './upstream-identity.ts';
export { redeemCode, refresh, type UpstreamExchange } from './upstream-oauth.ts';
export { revoke } from './upstream-revocation.ts';
export { resolveServer, type UpstreamServer } from './upstream-server.ts';
export type { RefreshResult, RevokeResult, UpstreamClient, UpstreamIdentity, UpstreamTokens } from './upstream-tokens.ts';
