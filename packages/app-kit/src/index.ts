export { PlatformError, Secret } from '@bulkhead/base';
export { AceAddon, type AceClientInfo, type AceContext, type AceOptions } from './ace/addon.ts';
export type { AceCallback, AceCallOptions, AceHttpClient, AceResponse } from './ace/host-client.ts';
export { type AceRow, aceSettings, importAceSettings, type ImportOptions, type ImportReport } from './ace/import-settings.ts';
export { expressGuard, type ExpressHandler, expressKit } from './adapter/express.ts';
export { type FastifyAnswer, type FastifyCall, fastifyGuard, type FastifyHook, fastifyKit } from './adapter/fastify.ts';
export { type Guard, verifiedOf } from './adapter/guard.ts';
export { answerFetch, fetchRequest, type HonoContext, honoGuard, honoKit, type HonoMiddleware } from './adapter/hono.ts';
export { type KoaContext, koaGuard, koaKit, type KoaMiddleware } from './adapter/koa.ts';
export { answerNode, guardNode, requestOf } from './adapter/node-http.ts';
export { type AppAnswer, type AppKit, createAppKit, type CreateAppKitOptions } from './app-kit.ts';
export type { AppRequest } from './app-request.ts';
export {
  type AppCondition,
  type AppDescriptor,
  type AppModules,
  type AppPage,
  type AppScope,
  type AppWebhook,
  defineDescriptor,
  type DefineDescriptor,
} from './descriptor.ts';
export type { HostRecord, HostRecordPage, HostRecords } from './host-records.ts';
export { atlassianCloud, bulkhead, type Issuer } from './issuer.ts';
export type { AppLog, BaseUrlChange } from './kit-settings.ts';
export type { LifecycleEvent, TenantDetails } from './lifecycle-call.ts';
export type { Fetch } from './outbound.ts';
export type { LifecycleListener } from './receive-lifecycle.ts';
export type { AppRefusal } from './refusals.ts';
export { memoryTenantStore } from './store/memory-tenant-store.ts';
export type { SealingKeys } from './store/envelope.ts';
export { postgresSchema, tenantPolicy } from './store/postgres-schema.ts';
export { type PgPool, type PgQuery, type PostgresTenantStore, postgresTenantStore } from './store/postgres-tenant-store.ts';
export { sqliteTenantStore } from './store/sqlite-tenant-store.ts';
export type { JsonValue, TenantRecordEntry, TenantRecords, TenantStore } from './store/tenant-store.ts';
export type { TenantClient, TenantFetchInit } from './tenant-client.ts';
export type { TenantRecord, TenantSecret } from './tenant-record.ts';
export { forgeInvocations, type ForgeInvocation, type ForgeOptions } from './token/forge-invocation.ts';
export type { RequestRules, VerifiedToken } from './token/verify-tenant-token.ts';
