export { authorizationErrorPage } from './authorization-error-page.ts';
export { authorizationRoutes } from './authorization-routes.ts';
export { type AuthorizationOptions } from './flow.ts';
export { type ReconnectLink, reconnectPusher } from './push-authorization-request.ts';
