export { type EventPage, eventPage, latestEventCursor } from './events/event-page.ts';
export { nextTick, ticksUntil, type Timetable } from './functions/cron.ts';
export { type DeclaredQueue, type DeclaredSchedule, type DeclaredTrigger, jobSourceKey } from './functions/job-manifest.ts';
export {
  egressHostsOf,
  environmentName,
  functionKey,
  type FunctionManifest,
  functionManifest,
  isDeclaredHost,
} from './functions/manifest.ts';
export {
  type DeclaredWebtrigger,
  WEBTRIGGER_SCHEMES,
  type WebtriggerAuthentication,
  webtriggerKey,
  type WebtriggerScheme,
} from './functions/webtrigger-manifest.ts';
export { egressHost, FUNCTION_SCOPES } from './functions/permissions.ts';
export { PERMISSIONS_MAX, requestedPermission, requestedPermissions } from './functions/requested-permissions.ts';
export { VARIABLES_MAX, variableName, variableValue } from './functions/variables.ts';
export {
  collectionOf,
  type EntityQuery,
  type KeyQuery,
  STORAGE_LIMITS,
  storageAnswer,
  type StorageAnswer,
  storageCall,
  type StorageCall,
  type StorageCheck,
  type StorageCondition,
  type StorageDelete,
  type StorageFound,
  type StorageItemAnswer,
  type StorageRecord,
  type StorageSet,
} from './functions/storage-call.ts';
export { entityQueryProblem, entityValueProblem } from './functions/storage-checks.ts';
export {
  EVERYTHING,
  indexBytes,
  matches,
  type Scalar,
  type StorageFilter,
  type Stretch,
  stretchOf,
} from './functions/storage-conditions.ts';
export {
  type AttributeType,
  BY_KEY,
  entitiesOf,
  type Entity,
  type EntityIndex,
  isOfType,
  type StorageDeclaration,
  storageDeclaration,
} from './functions/storage-entities.ts';
export { appTarget } from './installs/app-target.ts';
export { canonicalRequest, queryValues, type SignedRequest } from './installs/canonical-request.ts';
export {
  CONNECT_LEEWAY_SECONDS_MAX,
  type ConnectAlgorithm,
  type ConnectClaims,
  type ConnectJwtRules,
  jwtDigest,
  readConnectJwt,
  sharedSecretKey,
  signConnectJwt,
  type SignedClaims,
  type SigningKey,
  type UnverifiedJwt,
  type VerifiedJwt,
  verifyConnectJwt,
} from './installs/connect-jwt.ts';
export {
  APP_SCOPES,
  type AppDescriptor,
  appDescriptor,
  appKey,
  type AppScope,
  appScope,
  effectiveScopes,
  READING_SCOPES,
  LIFECYCLE_EVENTS,
  type LifecycleEventType,
  unknownFields,
} from './installs/descriptor.ts';
export type { JwtProblem, JwtRefusal } from './installs/jwt-parts.ts';
export { type LifecycleEvent } from './installs/lifecycle-event.ts';
export {
  HOST_CONDITIONS,
  type HostCondition,
  hostCondition,
  isRemoteCondition,
  type ModuleCondition,
  unknownConditions,
} from './installs/module-condition.ts';
export { isAbsoluteItem, PAGE_MODULE_TYPES, type PageModule, pageModules, type PageModuleType } from './installs/page-module.ts';
export { CONTEXT_QSH, queryStringHash } from './installs/query-string-hash.ts';
export {
  JWT_BEARER,
  readUserAssertion,
  USER_ASSERTION_SECONDS,
  type UserAssertion,
  userAssertionClaims,
  userTokenRequest,
  type UserTokenResponse,
  userTokenResponse,
} from './installs/user-assertion.ts';
export {
  type AuthorizationDestination,
  authorizationDestination,
  type AuthorizationDetails,
  authorizationDetails,
  type AuthorizationParameters,
  OUT_OF_BAND_URI,
  pushedAuthorizationAnswer,
  pushedAuthorizationDetails,
  readRawParameters,
  REQUEST_URI_PREFIX,
} from './oauth/authorization-request.ts';
export { type AuthorizationServerMetadata, authorizationServerMetadata } from './oauth/authorization-server-metadata.ts';
export { DPOP_ALGORITHMS, dpopClaims, type DpopPublicKey, dpopPublicKey, jwkThumbprint } from './oauth/dpop.ts';
export { introspectionRequest, type IntrospectionResponse, introspectionResponse } from './oauth/introspection.ts';
export { codeChallenge, codeVerifier, matchesChallenge, s256Challenge } from './oauth/pkce.ts';
export { revocationRequest } from './oauth/revocation.ts';
export { type TokenInfo, tokenInfo } from './oauth/token-info.ts';
export {
  ACCESS_TOKEN_TYPE,
  API_KEY_TYPE,
  AUTHORIZATION_CODE,
  type AuthorizationCodeRequest,
  authorizationCodeRequest,
  REFRESH_TOKEN,
  type RefreshTokenRequest,
  refreshTokenRequest,
  TOKEN_EXCHANGE,
  type TokenExchangeRequest,
  tokenExchangeRequest,
  tokenParameters,
} from './oauth/token-request.ts';
export { type TokenResponse, tokenResponse } from './oauth/token-response.ts';
export {
  allowsPassthrough,
  type PassthroughDetail,
  passthroughDetail,
  passthroughDetails,
  type PassthroughLimits,
  type PassthroughRequest,
  passthroughWithin,
} from './passthrough/passthrough-detail.ts';
export { assertPlainPath, parsePathPrefix, pathWithin } from './passthrough/path-prefix.ts';
export { KLOUDLESS_SIGNATURE, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP } from './webhooks/headers.ts';
export { WEBHOOK_TEST, type WebhookMessage, webhookMessage } from './webhooks/message.ts';
export {
  signKloudlessWebhook,
  signWebhook,
  standardWebhookSecret,
  verifiesWebhook,
  WEBHOOK_TOLERANCE_SECONDS,
  type WebhookContent,
} from './webhooks/signature.ts';
