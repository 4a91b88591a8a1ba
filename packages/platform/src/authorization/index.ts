export { authorizationErrorPage } from './authorization-error-page.ts';
export { authorizationRoutes } from './authorization-routes.ts';
export { reconnectPusher } from './push-authorization-request.ts';
export { codeVerifiers } from './transaction-store.ts';
