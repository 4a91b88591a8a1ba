/** Names and types only: what the environment says, before anybody judges it. The one place that reads `process.env`. */
export interface Environment {
  readonly port: string | undefined;
  readonly host: string | undefined;
  readonly publicUrl: string | undefined;
  readonly dataDir: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly databasePoolerUrl: string | undefined;
  readonly rootKey: string | undefined;
  readonly previousRootKeys: string | undefined;
  readonly keyDir: string | undefined;
  readonly roles: string | undefined;
  readonly metaToken: string | undefined;
  readonly egressAllow: string | undefined;
  readonly trustProxy: string | undefined;
  readonly rateLimits: string | undefined;
  readonly tenantShare: string | undefined;
  readonly accountsMax: string | undefined;
  readonly sandbox: string | undefined;
  readonly functionLimits: string | undefined;
  readonly stopGrace: string | undefined;
  readonly logLevel: string | undefined;
}

export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const value = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return {
    port: value('BULKHEAD_PORT'),
    host: value('BULKHEAD_HOST'),
    publicUrl: value('BULKHEAD_PUBLIC_URL'),
    dataDir: value('BULKHEAD_DATA_DIR'),
    databaseUrl: value('BULKHEAD_DATABASE_URL'),
    databasePoolerUrl: value('BULKHEAD_DATABASE_POOLER_URL'),
    rootKey: value('BULKHEAD_ROOT_KEY'),
    previousRootKeys: value('BULKHEAD_ROOT_KEY_PREVIOUS'),
    keyDir: value('BULKHEAD_KEY_DIR'),
    roles: value('BULKHEAD_ROLES'),
    metaToken: value('BULKHEAD_META_TOKEN'),
    egressAllow: value('BULKHEAD_EGRESS_ALLOW'),
    trustProxy: value('BULKHEAD_TRUST_PROXY'),
    rateLimits: value('BULKHEAD_RATE_LIMITS'),
    tenantShare: value('BULKHEAD_TENANT_SHARE'),
    accountsMax: value('BULKHEAD_ACCOUNTS_MAX'),
    sandbox: value('BULKHEAD_SANDBOX'),
    functionLimits: value('BULKHEAD_FUNCTION_LIMITS'),
    stopGrace: value('BULKHEAD_STOP_GRACE'),
    logLevel: value('BULKHEAD_LOG_LEVEL'),
  };
}
