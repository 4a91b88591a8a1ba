export { authorizationErrorPage } from './authorization-error-page.ts';
export { authorizationRoutes } from './authorization-routes.ts';
export { reconnectPusher } from './push-authorization-request.ts';
export { codeVerifiers } from './transaction-store.ts';
export { pageSetting } from './flow.ts';
export { Html, html, scriptJson } from './pages/html.ts';
export { brandMark, nameOf } from './pages/layout.ts';
export { rootVariables } from './pages/style-sheet.ts';
export { themeFrom } from './pages/theme.ts';
