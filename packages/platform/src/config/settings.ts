import type { Environment } from './env.ts';

export interface Setting {
  readonly variable: string;
  /** As one would type it; null: unset, which `meaning` explains. */
  readonly default: string | null;
  /** One or two sentences for the reference page, which is made from this table. */
  readonly meaning: string;
  readonly example: string;
}

/** Every setting of a process, as people read about it. `env.ts` reads them, `config.ts` judges them. */
export const SETTINGS: Readonly<Record<keyof Environment, Setting>> = {
  port: {
    variable: 'BULKHEAD_PORT',
    default: '8400',
    meaning:
      'Port to listen on. 0 takes any free one, shown in the ready line. With the demo, the three ports after it are those of its page, of Harbour Files and of Lantern Notes; any free one stands in for one that is taken. The start shows them.',
    example: '9000',
  },
  host: {
    variable: 'BULKHEAD_HOST',
    default: '127.0.0.1',
    meaning: 'Address to listen on. The default lets nobody in from outside this machine; 0.0.0.0 listens everywhere.',
    example: '0.0.0.0',
  },
  publicUrl: {
    variable: 'BULKHEAD_PUBLIC_URL',
    default: null,
    meaning:
      'Origin under which others reach this server: issuer, links and callbacks begin with it. Unset: made from host and port. Set it before services are registered, because their callbacks name it.',
    example: 'https://connect.example.com',
  },
  dataDir: {
    variable: 'BULKHEAD_DATA_DIR',
    default: '.bulkhead',
    meaning:
      'Folder of the embedded database and of the root key; relative to where the command is typed. One running Bulkhead per folder.',
    example: '/var/lib/bulkhead',
  },
  databaseUrl: {
    variable: 'BULKHEAD_DATABASE_URL',
    default: null,
    meaning: 'A PostgreSQL 15 or newer of your own, whose login may create roles and owns the database. Unset: the embedded PostgreSQL.',
    example: 'postgres://bulkhead:password@db.internal:5432/bulkhead',
  },
  databasePoolerUrl: {
    variable: 'BULKHEAD_DATABASE_POOLER_URL',
    default: null,
    meaning:
      'The same database through a pooler in transaction mode, such as PgBouncer. Requests then go through it, without prepared statements; migrations and notifications still take `BULKHEAD_DATABASE_URL`, which must lead past it. Unset: no pooler.',
    example: 'postgres://bulkhead:password@pgbouncer.internal:6432/bulkhead',
  },
  rootKey: {
    variable: 'BULKHEAD_ROOT_KEY',
    default: null,
    meaning:
      'Key under which the key of each Application is sealed: 32 bytes in base64, or `file:/path` of a file that holds them. Unset: `root.key` in the data folder, made at the first start. Without it no stored secret can ever be opened again: keep a copy elsewhere than the database.',
    example: 'file:/run/secrets/bulkhead-root-key',
  },
  previousRootKeys: {
    variable: 'BULKHEAD_ROOT_KEY_PREVIOUS',
    default: null,
    meaning:
      'While the root key is rotated: the one before, in the same form, or several, comma-separated. Each process is given both, then `bulkhead keys rotate --root` wraps everything anew. Not for the root key in the data folder, which needs no such help. Unset: none.',
    example: 'file:/run/secrets/bulkhead-root-key-before',
  },
  keyDir: {
    variable: 'BULKHEAD_KEY_DIR',
    default: null,
    meaning:
      'Folder of the keys of the single Applications, which are destroyed with them: what an old dump holds of a deleted Application is worthless at once. Every process must see the same folder; it must last as the database does, and be backed up apart from it. Unset: `keys` in the data folder beside the embedded PostgreSQL; with a database of your own none, and a deletion is complete with the next rotation of the root key.',
    example: '/var/lib/bulkhead-keys',
  },
  roles: {
    variable: 'BULKHEAD_ROLES',
    default: 'api,worker,runner',
    meaning:
      'What this process does, comma-separated: `api` answers HTTP, `worker` runs tasks such as revoking tokens at the provider, `runner` runs functions of Apps for the `api` of the same process.',
    example: 'worker',
  },
  metaToken: {
    variable: 'BULKHEAD_META_TOKEN',
    default: null,
    meaning:
      'A value of 32 to 512 printable characters that is registered at start as a Meta token of the first organization, for automation. Unset: the first start issues one and prints it once.',
    example: '$(openssl rand -hex 32)',
  },
  egressAllow: {
    variable: 'BULKHEAD_EGRESS_ALLOW',
    default: null,
    meaning:
      'Addresses that outbound calls may reach although they are private, comma-separated: CIDRs or host:port. Unset: none (the demo adds its own services).',
    example: '10.20.0.0/16,erp.internal:8443',
  },
  trustProxy: {
    variable: 'BULKHEAD_TRUST_PROXY',
    default: null,
    meaning: 'CIDRs of the proxies whose `X-Forwarded-*` headers count, comma-separated. Unset: none.',
    example: '10.0.0.0/8',
  },
  rateLimits: {
    variable: 'BULKHEAD_RATE_LIMITS',
    default: 'api=1000,passthrough=1000,oauth=500,meta=200,webtrigger=50',
    meaning:
      'How many requests per second one Application may make of each process, by class: `api` (accounts, events), `passthrough`, `oauth` (tokens), `webtrigger` (calls of functions from outside); and one organization of the `meta` API. Five seconds of them may come at once; more are answered 429. `off` for any number, of one class or of all; a class that is not named keeps its default.',
    example: 'api=200,passthrough=50,meta=off',
  },
  tenantShare: {
    variable: 'BULKHEAD_TENANT_SHARE',
    default: '25',
    meaning:
      'Percent (1 to 100) of the requests which a process runs at the same moment, class by class, that may be those of one Application, or of one organization at the `meta` API. More wait for its own to end, and are answered 429 if that takes too long.',
    example: '50',
  },
  accountsMax: {
    variable: 'BULKHEAD_ACCOUNTS_MAX',
    default: '100000',
    meaning:
      'How many accounts one Application may hold. One more is refused (`account.limit`); those that are there are connected anew all the same.',
    example: '500',
  },
  sandbox: {
    variable: 'BULKHEAD_SANDBOX',
    default: 'jail',
    meaning:
      'What functions of Apps need to run: `jail` (own namespaces, an empty file system, a filter of system calls; Linux on x86-64 with `bubblewrap`), or `process`, which accepts a plain process where the jail cannot be built: then the engine alone stands between a function and this machine. The demo accepts it.',
    example: 'process',
  },
  functionLimits: {
    variable: 'BULKHEAD_FUNCTION_LIMITS',
    default: 'timeout_seconds=55,cpu_ms=10000,memory_mb=256',
    meaning:
      'What a function of an App may ask for in its manifest at most: `timeout_seconds` (1 to 900), `cpu_ms` (10 to 900000), `memory_mb` (32 to 2048). One that asks for more is not deployed; one that was deployed before runs with this. What is not named keeps its default.',
    example: 'timeout_seconds=900,cpu_ms=60000',
  },
  stopGrace: {
    variable: 'BULKHEAD_STOP_GRACE',
    default: '5',
    meaning:
      'Seconds (0 to 60) for which a process that SIGTERM asks to stop goes on taking requests while `/readyz` already answers 503, so that a balancer can turn away first. Waited only where `/readyz` was asked within the last minute.',
    example: '10',
  },
  logLevel: {
    variable: 'BULKHEAD_LOG_LEVEL',
    default: 'warn',
    meaning: 'How much is logged, as lines of JSON on standard error: `debug`, `info`, `warn`, `error` or `silent`.',
    example: 'info',
  },
};

/** The variables that look like settings and are none: most likely typed wrongly. */
export function unknownSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
  return Object.keys(env)
    .filter((name) => name.startsWith('BULKHEAD_') && !known.has(name))
    .sort();
}
