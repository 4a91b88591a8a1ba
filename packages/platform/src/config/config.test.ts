import { describe, expect, it } from 'vitest';
import { ConfigError, configFrom, type RootKeySource } from './config.ts';
import { type Environment, readEnvironment } from './env.ts';
import { SETTINGS, unknownSettings } from './settings.ts';

const from = (env: Readonly<Record<string, string>>) => configFrom(readEnvironment(env), '/srv');
const key = Buffer.alloc(32, 1).toString('base64');

const plainKey = (source: RootKeySource) => (source.kind === 'value' ? source.base64.reveal() : source);

/** Secrets compared by what they hold. */
function plain(env: Readonly<Record<string, string>>): Record<string, unknown> {
  const config = from(env);
  return {
    ...config,
    roles: [...config.roles],
    databaseUrl: config.databaseUrl?.reveal() ?? null,
    databasePoolerUrl: config.databasePoolerUrl?.reveal() ?? null,
    metaToken: config.metaToken?.reveal() ?? null,
    rootKey: plainKey(config.rootKey),
    previousRootKeys: config.previousRootKeys.map(plainKey),
  };
}

describe('an environment without settings', () => {
  it('gives the documented defaults', () => {
    const documented = Object.fromEntries(
      Object.values(SETTINGS).flatMap(({ variable, default: value }) => (value === null ? [] : [[variable, value]])),
    );
    expect(Object.keys(documented)).not.toEqual([]);
    expect(plain({})).toEqual(plain(documented));
    expect(plain({})).toEqual({
      port: 8400,
      host: '127.0.0.1',
      publicUrl: null,
      dataDir: '/srv/.bulkhead',
      databaseUrl: null,
      databasePoolerUrl: null,
      rootKey: { kind: 'data-dir' },
      previousRootKeys: [],
      keyDir: null,
      roles: ['api', 'worker', 'runner'],
      metaToken: null,
      egressAllow: [],
      trustProxy: [],
      rateLimits: { api: 1_000, passthrough: 1_000, oauth: 500, meta: 200, webtrigger: 50 },
      tenantShare: 0.25,
      accountsMax: 100_000,
      sandbox: 'jail',
      functionLimits: { timeoutSeconds: 55, cpuMs: 10_000, memoryMb: 256 },
      stopGraceMs: 5_000,
      logLevel: 'warn',
    });
  });

  it.each(Object.entries(SETTINGS) as [keyof Environment, (typeof SETTINGS)[keyof Environment]][])(
    '%s is read from its documented variable, and empty counts as unset',
    (name, { variable }) => {
      expect(readEnvironment({ [variable]: 'text' })[name]).toBe('text');
      expect(readEnvironment({ [variable]: '' })[name]).toBe(undefined);
      expect(Object.values(readEnvironment({ [variable]: 'text' })).filter((value) => value !== undefined)).toHaveLength(1);
    },
  );

  it.each(Object.values(SETTINGS))('the example of $variable is one that is taken', ({ variable, example }) => {
    const text = example.startsWith('$(') ? 'ab'.repeat(32) : example;
    // A pooler is named beside the database it leads to; the key before means something only beside the one that takes its place.
    const besides: Record<string, Record<string, string>> = {
      BULKHEAD_DATABASE_POOLER_URL: { BULKHEAD_DATABASE_URL: 'postgres://u:p@db/d' },
      BULKHEAD_ROOT_KEY_PREVIOUS: { BULKHEAD_ROOT_KEY: key },
    };
    const beside = besides[variable] ?? {};
    expect(plain({ ...beside, [variable]: text })).not.toEqual(plain(beside));
  });
});

describe('a value that can be used', () => {
  it.each([
    ['BULKHEAD_PORT', '0', { port: 0 }],
    ['BULKHEAD_PORT', '65535', { port: 65_535 }],
    ['BULKHEAD_HOST', '::', { host: '::' }],
    ['BULKHEAD_HOST', 'bulkhead.internal', { host: 'bulkhead.internal' }],
    ['BULKHEAD_PUBLIC_URL', 'https://connect.example.com/', { publicUrl: 'https://connect.example.com' }],
    ['BULKHEAD_PUBLIC_URL', 'HTTPS://Connect.Example.com:443', { publicUrl: 'https://connect.example.com' }],
    ['BULKHEAD_PUBLIC_URL', 'http://10.0.0.1:8400', { publicUrl: 'http://10.0.0.1:8400' }],
    ['BULKHEAD_DATA_DIR', '/var/lib/bulkhead', { dataDir: '/var/lib/bulkhead' }],
    ['BULKHEAD_DATA_DIR', '../data', { dataDir: '/data' }],
    ['BULKHEAD_DATABASE_URL', 'postgresql://u:p@h/d', { databaseUrl: 'postgresql://u:p@h/d' }],
    ['BULKHEAD_ROOT_KEY', key, { rootKey: key }],
    ['BULKHEAD_ROOT_KEY', 'file:keys/root', { rootKey: { kind: 'file', path: '/srv/keys/root' } }],
    ['BULKHEAD_ROLES', ' api , worker ,api', { roles: ['api', 'worker'] }],
    ['BULKHEAD_META_TOKEN', 'x'.repeat(32), { metaToken: 'x'.repeat(32) }],
    [
      'BULKHEAD_EGRESS_ALLOW',
      '10.0.0.0/8, fd00::/8,192.0.2.7,localhost:9000,[::1]:9000',
      { egressAllow: ['10.0.0.0/8', 'fd00::/8', '192.0.2.7/32', 'localhost:9000', '[::1]:9000'] },
    ],
    ['BULKHEAD_TRUST_PROXY', '::1,10.1.0.0/16', { trustProxy: ['::1/128', '10.1.0.0/16'] }],
    ['BULKHEAD_RATE_LIMITS', 'api=5, meta=off', { rateLimits: { api: 5, passthrough: 1_000, oauth: 500, meta: null, webtrigger: 50 } }],
    ['BULKHEAD_RATE_LIMITS', 'off', { rateLimits: { api: null, passthrough: null, oauth: null, meta: null, webtrigger: null } }],
    ['BULKHEAD_TENANT_SHARE', '100', { tenantShare: 1 }],
    ['BULKHEAD_ACCOUNTS_MAX', '1', { accountsMax: 1 }],
    ['BULKHEAD_FUNCTION_LIMITS', 'timeout_seconds=900', { functionLimits: { timeoutSeconds: 900, cpuMs: 10_000, memoryMb: 256 } }],
    ['BULKHEAD_FUNCTION_LIMITS', 'cpu_ms=10, memory_mb = 32', { functionLimits: { timeoutSeconds: 55, cpuMs: 10, memoryMb: 32 } }],
    ['BULKHEAD_STOP_GRACE', '0', { stopGraceMs: 0 }],
    ['BULKHEAD_STOP_GRACE', '60', { stopGraceMs: 60_000 }],
    ['BULKHEAD_LOG_LEVEL', 'silent', { logLevel: 'silent' }],
  ])('%s=%s', (variable, text, expected) => {
    expect(plain({ [variable]: text })).toMatchObject(expected);
  });
});

describe('a value that cannot be used is refused by the name of its variable', () => {
  it.each([
    ['BULKHEAD_PORT', ['65536', '-1', '80.5', '0x50', ' ', 'http', '8400 ', '1e3', '٨']],
    ['BULKHEAD_HOST', ['http://localhost', 'a b', '127.0.0.1:80', '-x', 'a'.repeat(300)]],
    [
      'BULKHEAD_PUBLIC_URL',
      [
        'connect.example.com',
        'ftp://x',
        'https://x/path',
        'https://x?q',
        'https://x#f',
        'https://u:p@x',
        'javascript:alert(1)',
        'https://',
      ],
    ],
    ['BULKHEAD_DATABASE_URL', ['localhost/db', 'mysql://u:p@h/d', 'http://h']],
    ['BULKHEAD_ROOT_KEY', ['short', 'A'.repeat(42), Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), `${key} `]],
    ['BULKHEAD_ROOT_KEY_PREVIOUS', ['short', key, `file:/a,${key}x`]],
    ['BULKHEAD_FUNCTION_LIMITS', ['off', 'timeout_seconds=901', 'timeout_seconds=0', 'memory_mb=31', 'disk_mb=1', 'cpu_ms', 'cpu_ms=1e3']],
    ['BULKHEAD_ROLES', ['everything', 'api;worker', ',', 'API']],
    ['BULKHEAD_META_TOKEN', ['x'.repeat(31), 'x'.repeat(513), `${'x'.repeat(32)} y`, `${'x'.repeat(32)}é`]],
    ['BULKHEAD_EGRESS_ALLOW', ['everything', '10.0.0.0/33', '10.0.0.0/8/8', '300.0.0.1', 'host', 'host:99999', '::1/129', '10.0.0.0/']],
    ['BULKHEAD_TRUST_PROXY', ['true', 'proxy:80', '10.0.0.0/x', '10.0.0/8']],
    ['BULKHEAD_RATE_LIMITS', ['api', 'api=-1', 'api=0', 'api=1.5', 'health=5', '1000', 'api=1;meta=2', 'api=12345678', 'constructor=1']],
    ['BULKHEAD_ACCOUNTS_MAX', ['0', '-1', '1e3', 'many', '1234567890']],
    ['BULKHEAD_TENANT_SHARE', ['0', '101', '25%', 'a quarter', '0.25']],
    ['BULKHEAD_STOP_GRACE', ['61', '-1', '1.5', '5s', '999', ' 5']],
    ['BULKHEAD_LOG_LEVEL', ['verbose', 'WARN', 'trace']],
  ])('%s', (variable, texts) => {
    for (const text of texts) {
      const refused = refusal({ [variable]: text });
      if (!(refused instanceof ConfigError)) throw new Error(`${text} was not refused`, { cause: refused });
      expect(refused.variable, text).toBe(variable);
      expect(refused.message, text).toMatch(new RegExp(`^${variable}: expected .+\\.$`));
    }
  });

  it('and never repeated, where it may be a secret', () => {
    for (const variable of ['BULKHEAD_ROOT_KEY', 'BULKHEAD_META_TOKEN', 'BULKHEAD_DATABASE_URL'])
      expect(refusal({ [variable]: 'hunter2 secret' })?.message).not.toContain('hunter2');
  });
});

describe('a pooler', () => {
  const direct = 'postgres://u:p@db/d';
  it('stands beside the database it leads to', () => {
    const pooled = 'postgres://u:p@pooler:6432/d';
    expect(plain({ BULKHEAD_DATABASE_URL: direct, BULKHEAD_DATABASE_POOLER_URL: pooled })).toMatchObject({
      databaseUrl: direct,
      databasePoolerUrl: pooled,
    });
  });

  it.each([
    ['without a way past it', undefined, direct],
    ['that is no PostgreSQL address', direct, 'http://pooler:6432'],
    ['that is the way past it', direct, direct],
  ])('%s is refused', (_, database, pooler) => {
    const refused = refusal({
      ...(database === undefined ? {} : { BULKHEAD_DATABASE_URL: database }),
      BULKHEAD_DATABASE_POOLER_URL: pooler,
    });
    expect(refused).toBeInstanceOf(ConfigError);
    expect(refused).toMatchObject({ variable: 'BULKHEAD_DATABASE_POOLER_URL' });
  });
});

describe('several values that cannot be used', () => {
  it('are refused together, in one error that names each of them', () => {
    const refused = refusal({ BULKHEAD_PORT: '80x', BULKHEAD_ROLES: 'apis', BULKHEAD_PUBLIC_URL: 'foo', BULKHEAD_HOST: '127.0.0.1' });
    if (!(refused instanceof AggregateError)) throw new Error('expected all of them at once', { cause: refused });
    expect(refused.errors.map((each: ConfigError) => each.variable)).toEqual(['BULKHEAD_PORT', 'BULKHEAD_PUBLIC_URL', 'BULKHEAD_ROLES']);
    expect(refused.message.split('\n')).toEqual(refused.errors.map((each: ConfigError) => each.message));
    // The control: the same with two of them put right is the refusal of the third.
    expect(refusal({ BULKHEAD_PORT: '80x', BULKHEAD_ROLES: 'api' })).toBeInstanceOf(ConfigError);
  });
});

describe('a variable that is no setting', () => {
  it('is named; those of others are not', () => {
    expect(unknownSettings({ BULKHEAD_PROT: '1', BULKHEAD_PORT: '1', PORT: '1', bulkhead_port: '1' })).toEqual(['BULKHEAD_PROT']);
  });
});

function refusal(env: Readonly<Record<string, string>>): Error | null {
  try {
    from(env);
    return null;
  } catch (thrown) {
    return thrown as Error;
  }
}
