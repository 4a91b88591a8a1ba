export { passthroughRoutes } from './passthrough-routes.ts';
