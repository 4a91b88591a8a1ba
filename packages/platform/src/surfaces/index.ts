export { challengeFor } from './challenge.ts';
export { claimedTenant, partyAtAddress } from './claimed-tenant.ts';
export { healthRoutes } from './health-routes.ts';
export { Readiness } from './readiness.ts';
export { legacyAliases } from './legacy-aliases.ts';
export { forgetPastAnswers, idempotencyStore, organizationAnswers, resealControlAnswers, tenantAnswers } from './idempotency-store.ts';
export { openApiRoutes } from './openapi-routes.ts';
export { openContext } from './open-context.ts';
export { RequestRates } from './request-rates.ts';
