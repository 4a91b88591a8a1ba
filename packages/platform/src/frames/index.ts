export { apScriptRoutes } from './ap-scripts.ts';
export { forgetEndedSessions } from './forget-ended-sessions.ts';
export { moduleRoutes } from './module-routes.ts';
export { pageRoutes } from './page-routes.ts';
