import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { Secret } from '@bulkhead/base';
import type { Environment } from './env.ts';

export type Role = 'api' | 'worker' | 'runner';
export type Sandbox = 'jail' | 'process';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type RateLimits = Readonly<Record<'api' | 'passthrough' | 'oauth' | 'meta' | 'webtrigger', number | null>>;

/** What a call of a function may cost. */
export interface FunctionLimits {
  readonly timeoutSeconds: number;
  readonly cpuMs: number;
  /** Heap, in MiB. */
  readonly memoryMb: number;
}

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Origin of issuer, links and callbacks, without a trailing slash; null = from host and the port in use. */
  readonly publicUrl: string | null;
  readonly dataDir: string;
  /** Null = embedded. */
  readonly databaseUrl: Secret | null;
  /** The same database through a pooler in transaction mode; null = none. */
  readonly databasePoolerUrl: Secret | null;
  readonly rootKey: RootKeySource;
  /** Root keys of before, while a rotation lasts; empty where the root key lies in the data folder. */
  readonly previousRootKeys: readonly RootKeySource[];
  /** Folder of the Applications' own keys; null = `keys` in the data folder beside the embedded database, otherwise none. */
  readonly keyDir: string | null;
  readonly roles: ReadonlySet<Role>;
  readonly metaToken: Secret | null;
  readonly egressAllow: readonly string[];
  readonly trustProxy: readonly string[];
  /** Requests per second of one Application, or of one organization at the Meta API, by class; null = any number. */
  readonly rateLimits: RateLimits;
  /** From 0.01 to 1: the part of the places for requests that one tenant may hold. */
  readonly tenantShare: number;
  readonly accountsMax: number;
  /** How far functions must be kept apart for the runner to run them. */
  readonly sandbox: Sandbox;
  /** What a function may ask for at most. */
  readonly functionLimits: FunctionLimits;
  /** Milliseconds. */
  readonly stopGraceMs: number;
  readonly logLevel: LogLevel;
}

/** Where the root key comes from; see `secrets.ts`. */
export type RootKeySource =
  | { readonly kind: 'data-dir' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'value'; readonly base64: Secret };

/** A setting that cannot be used: names the variable and what was expected. The process prints it and exits with 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly variable: string;

  constructor(variable: string, expected: string) {
    super(`${variable}: expected ${expected}.`);
    this.variable = variable;
  }
}

const ROLES: readonly Role[] = ['api', 'worker', 'runner'];
const RATE_LIMITS: RateLimits = { api: 1_000, passthrough: 1_000, oauth: 500, meta: 200, webtrigger: 50 };
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/**
 * Defaults, contradictions, derived values. Pure: the same environment gives the same configuration or the same refusal.
 * Throws the `ConfigError` of the one setting that cannot be used, or an `AggregateError` of several.
 */
export function configFrom(env: Environment, workingDirectory: string): Config {
  const refused: ConfigError[] = [];
  const judged = <T>(judge: () => T): T => {
    try {
      return judge();
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown;
      refused.push(thrown);
      // Nobody gets to see it: what was refused is thrown below, all of it at once.
      return undefined as never;
    }
  };
  const config: Config = {
    port: judged(() => port(env.port ?? '8400')),
    host: judged(() => host(env.host ?? '127.0.0.1')),
    publicUrl: judged(() => (env.publicUrl === undefined ? null : publicUrl(env.publicUrl))),
    dataDir: resolve(workingDirectory, env.dataDir ?? '.bulkhead'),
    databaseUrl: judged(() => (env.databaseUrl === undefined ? null : databaseUrl('BULKHEAD_DATABASE_URL', env.databaseUrl))),
    databasePoolerUrl: judged(() => poolerUrl(env)),
    rootKey: judged(() =>
      env.rootKey === undefined ? { kind: 'data-dir' } : rootKeySource('BULKHEAD_ROOT_KEY', env.rootKey, workingDirectory),
    ),
    previousRootKeys: judged(() => previousRootKeys(env, workingDirectory)),
    keyDir: env.keyDir === undefined ? null : resolve(workingDirectory, env.keyDir),
    roles: judged(() => roles(env.roles ?? 'api,worker,runner')),
    metaToken: judged(() => (env.metaToken === undefined ? null : metaToken(env.metaToken))),
    egressAllow: judged(() => list(env.egressAllow).map((entry) => egressEntry(entry))),
    trustProxy: judged(() => list(env.trustProxy).map((entry) => cidr('BULKHEAD_TRUST_PROXY', entry))),
    rateLimits: judged(() => rateLimits(env.rateLimits ?? '')),
    tenantShare: judged(() => tenantShare(env.tenantShare ?? '25')),
    accountsMax: judged(() => accountsMax(env.accountsMax ?? '100000')),
    sandbox: judged(() => sandbox(env.sandbox ?? 'jail')),
    functionLimits: judged(() => functionLimits(env.functionLimits ?? '')),
    stopGraceMs: judged(() => stopGrace(env.stopGrace ?? '5')),
    logLevel: judged(() => logLevel(env.logLevel ?? 'warn')),
  };
  const [first, ...others] = refused;
  if (first === undefined) return config;
  throw others.length === 0 ? first : new AggregateError(refused, refused.map(({ message }) => message).join('\n'));
}

function fail(variable: string, expected: string): never {
  throw new ConfigError(variable, expected);
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function port(text: string): number {
  const value = Number(text);
  return /^\d{1,5}$/.test(text) && value <= 65_535 ? value : fail('BULKHEAD_PORT', 'a port from 0 (any free one) to 65535');
}

function host(text: string): string {
  return isIP(text) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text)
    ? text
    : fail('BULKHEAD_HOST', 'an IP address or host name to listen on');
}

function publicUrl(text: string): string {
  const expected = 'an origin such as https://connect.example.com, without path, query or user';
  const url = URL.canParse(text) ? new URL(text) : fail('BULKHEAD_PUBLIC_URL', expected);
  const plain =
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '';
  return plain ? url.origin : fail('BULKHEAD_PUBLIC_URL', expected);
}

function poolerUrl(env: Environment): Secret | null {
  if (env.databasePoolerUrl === undefined) return null;
  if (env.databaseUrl === undefined)
    fail('BULKHEAD_DATABASE_POOLER_URL', 'BULKHEAD_DATABASE_URL beside it, which leads to the same database past the pooler');
  if (env.databasePoolerUrl === env.databaseUrl)
    fail('BULKHEAD_DATABASE_POOLER_URL', 'the address of the pooler; this is that of BULKHEAD_DATABASE_URL, which leads past it');
  return databaseUrl('BULKHEAD_DATABASE_POOLER_URL', env.databasePoolerUrl);
}

function databaseUrl(variable: string, text: string): Secret {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^postgres(ql)?:$/.test(url.protocol)
    ? new Secret(text)
    : fail(variable, 'postgres://user:password@host:port/database (PostgreSQL 15 or newer)');
}

function rootKeySource(variable: string, text: string, workingDirectory: string): RootKeySource {
  if (text.startsWith('file:')) return { kind: 'file', path: resolve(workingDirectory, text.slice('file:'.length)) };
  const valid = /^[A-Za-z0-9+/_-]{43}=?$/.test(text) && Buffer.from(text, 'base64').byteLength === 32;
  return valid
    ? { kind: 'value', base64: new Secret(text) }
    : fail(variable, '32 bytes in base64 (openssl rand -base64 32), or file:/path of a file that holds them');
}

function previousRootKeys(env: Environment, workingDirectory: string): RootKeySource[] {
  const variable = 'BULKHEAD_ROOT_KEY_PREVIOUS';
  const texts = list(env.previousRootKeys);
  if (texts.length > 0 && env.rootKey === undefined) fail(variable, 'BULKHEAD_ROOT_KEY beside it: the key that is to be used from now on');
  return texts.map((text) => rootKeySource(variable, text, workingDirectory));
}

function roles(text: string): ReadonlySet<Role> {
  const chosen = list(text).map(
    (name) => ROLES.find((role) => role === name) ?? fail('BULKHEAD_ROLES', `a comma-separated list of ${ROLES.join(', ')}`),
  );
  return chosen.length > 0 ? new Set(chosen) : fail('BULKHEAD_ROLES', `at least one of ${ROLES.join(', ')}`);
}

function rateLimits(text: string): RateLimits {
  const classes = Object.keys(RATE_LIMITS);
  if (text === 'off') return { api: null, passthrough: null, oauth: null, meta: null, webtrigger: null };
  const given = list(text).map((entry): [string, number | null] => {
    const [, name = '', rate = ''] = /^(\w+) *= *(off|\d{1,7})$/.exec(entry) ?? [];
    return classes.includes(name) && !/^0+$/.test(rate)
      ? [name, rate === 'off' ? null : Number(rate)]
      : fail(
          'BULKHEAD_RATE_LIMITS',
          `off, or a comma-separated list of ${classes.join('=N, ')}=N, where N is whole requests per second from 1, or off`,
        );
  });
  return { ...RATE_LIMITS, ...Object.fromEntries(given) };
}

function tenantShare(text: string): number {
  const percent = Number(text);
  return /^\d{1,3}$/.test(text) && percent >= 1 && percent <= 100
    ? percent / 100
    : fail('BULKHEAD_TENANT_SHARE', 'whole percent from 1 to 100');
}

function accountsMax(text: string): number {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : fail('BULKHEAD_ACCOUNTS_MAX', 'a whole number from 1 to 999999999');
}

function sandbox(text: string): Sandbox {
  return text === 'jail' || text === 'process' ? text : fail('BULKHEAD_SANDBOX', 'jail or process');
}

const FUNCTION_LIMITS = {
  timeout_seconds: { standard: 55, min: 1, max: 900 },
  cpu_ms: { standard: 10_000, min: 10, max: 900_000 },
  memory_mb: { standard: 256, min: 32, max: 2_048 },
};

function functionLimits(text: string): FunctionLimits {
  const given = list(text).map((entry): [string, number] => {
    const [, name = '', digits = ''] = /^(\w+) *= *(\d{1,6})$/.exec(entry) ?? [];
    const bounds = Object.entries(FUNCTION_LIMITS).find(([known]) => known === name)?.[1];
    return bounds !== undefined && Number(digits) >= bounds.min && Number(digits) <= bounds.max
      ? [name, Number(digits)]
      : fail(
          'BULKHEAD_FUNCTION_LIMITS',
          'a comma-separated list of timeout_seconds=N (1 to 900), cpu_ms=N (10 to 900000), memory_mb=N (32 to 2048)',
        );
  });
  const limits = new Map([...Object.entries(FUNCTION_LIMITS).map(([name, { standard }]) => [name, standard] as const), ...given]);
  return { timeoutSeconds: limits.get('timeout_seconds')!, cpuMs: limits.get('cpu_ms')!, memoryMb: limits.get('memory_mb')! };
}

function stopGrace(text: string): number {
  return /^\d{1,2}$/.test(text) && Number(text) <= 60 ? Number(text) * 1_000 : fail('BULKHEAD_STOP_GRACE', 'whole seconds from 0 to 60');
}

function logLevel(text: string): LogLevel {
  return LEVELS.find((level) => level === text) ?? fail('BULKHEAD_LOG_LEVEL', `one of ${LEVELS.join(', ')}`);
}

function metaToken(text: string): Secret {
  return /^[\x21-\x7E]{32,512}$/.test(text)
    ? new Secret(text)
    : fail('BULKHEAD_META_TOKEN', '32 to 512 printable characters without spaces');
}

function egressEntry(text: string): string {
  const hostPort = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(text);
  if (hostPort && Number(hostPort[2]) <= 65_535) return text;
  return cidr('BULKHEAD_EGRESS_ALLOW', text);
}

function cidr(variable: string, text: string): string {
  const [address, bits, more] = text.split('/');
  const family = isIP(address ?? '');
  const expected =
    variable === 'BULKHEAD_EGRESS_ALLOW'
      ? 'comma-separated CIDRs (10.0.0.0/8) or host:port pairs (127.0.0.1:9000)'
      : 'comma-separated CIDRs such as 10.0.0.0/8';
  if (family === 0 || more !== undefined) fail(variable, expected);
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))) fail(variable, expected);
  return bits === undefined ? `${text}/${family === 4 ? 32 : 128}` : text;
}
