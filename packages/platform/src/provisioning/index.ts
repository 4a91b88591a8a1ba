export { eraseApplicationTask } from './erase-application-task.ts';
export { lineageRoutes } from './lineage-routes.ts';
export { provisioningRoutes } from './provisioning-routes.ts';
