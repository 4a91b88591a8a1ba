export type { ForwardOptions } from './forward-call.ts';
export { passthroughRoutes } from './passthrough-routes.ts';
