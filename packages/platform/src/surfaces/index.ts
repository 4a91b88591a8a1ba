export { healthRoutes } from './health-routes.ts';
export { legacyAliases } from './legacy-aliases.ts';
export { idempotencyStore } from './idempotency-store.ts';
export { openApiDocument, openApiRoutes } from './openapi-routes.ts';
export { type Authenticators, openContext } from './open-context.ts';
