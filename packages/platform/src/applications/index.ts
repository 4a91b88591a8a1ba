export { apiKeyAuthenticator, authenticateOwnApiKey, issueApiKey } from './api-key-store.ts';
export type { ApplicationSettings } from './application.ts';
export { applicationChildRoutes, requireOAuthService } from './application-children.ts';
export { applicationErrors } from './application-errors.ts';
export { applicationFields, applicationParams, createdApplicationAnswer, flag, oauthKeyBody } from './application-messages.ts';
export { applicationRoutes } from './application-routes.ts';
export { applicationChanges, applicationShape, brandingChanges, eventSettingsChanges } from './application-shape.ts';
export {
  cloneApplication,
  lockCloneSource,
  eraseApplication,
  findDeletion,
  findSource,
  getApplicationSettings,
  getEventSettings,
  insertApplication,
  isOwnedBy,
  longestRetentionHours,
  markApplicationDeleted,
  recordSourceRevision,
  retentionHours,
  updateApplication,
  updateBranding,
  updateEventSettings,
} from './application-store.ts';
export { appendUpdated } from './record-update.ts';
export { childRoutes } from './child-routes.ts';
export { type ConnectableService, findService, listConnectableServices } from './connectable-service.ts';
export { cloneCustomServices, listCustomServices } from './custom-service-store.ts';
export { addOAuthKey, cloneOAuthKeys, listOAuthKeys, oauthClientSecrets, openOAuthKey, removeAllOAuthKeys } from './oauth-key-store.ts';
export { addRedirectUri, cloneRedirectUris, isRegisteredRedirectUri, listRedirectUris, removeRedirectUris } from './redirect-uri-store.ts';
export {
  addTrustedDomain,
  cloneTrustedDomains,
  isTrustedOrigin,
  listTrustedDomains,
  removeTrustedDomains,
} from './trusted-domain-store.ts';
