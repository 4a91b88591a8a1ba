export { createApplication, type ProvisioningParts } from './create-application.ts';
export { eraseApplicationTask } from './erase-application-task.ts';
export { provisioningRoutes } from './provisioning-routes.ts';
