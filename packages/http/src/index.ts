export * from './egress/index.ts';
export { httpErrors } from './server/http-errors.ts';
export { asPlatformError, oauthErrorBody, restErrorBody } from './server/error-response.ts';
export type { IdempotencyClaim, IdempotencyStore } from './server/idempotency.ts';
export { openApi, type OpenApiOptions } from './server/openapi.ts';
export { listAnswer, objectList, type Page, pageQuery, queryBoolean } from './server/pagination.ts';
export { readBytes } from './server/read-body.ts';
export {
  ALREADY_SENT,
  type Answer,
  type AnyRoute,
  type IncomingCall,
  type RawRequest,
  type RouteDeclaration,
  type RouteInput,
  routeFor,
} from './server/route.ts';
export { createServer, type HttpServer, type ServerOptions } from './server/server.ts';
export { parsePart } from './server/validate.ts';
