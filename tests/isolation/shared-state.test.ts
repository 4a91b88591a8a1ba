import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

interface Kept {
  /** What a key of it begins with: the tenant, or why there is none. */
  readonly scopedBy: string;
  /** Where that is shown, for what is a tenant's. */
  readonly shownBy?: string;
}

const tenant = (key: string, shownBy: string): Kept => ({ scopedBy: `Application: ${key}`, shownBy });
const noTenant = (why: string): Kept => ({ scopedBy: `no tenant: ${why}` });

const REFRESH = 'packages/platform/src/vault/refresh-credential.test.ts';

/**
 * Everything that a process keeps from one request to the next, by where it stands. Whoever adds something says here whose it is:
 * a cache without a tenant in its key is how one customer gets to see another's.
 */
const KEPT: Readonly<Record<string, Kept>> = {
  'packages/platform/src/vault/refresh-attempt.ts #unkept': tenant('application id and credential id', REFRESH),
  'packages/platform/src/vault/refresh-credential.ts #flights': tenant('application id and credential id', REFRESH),
  'packages/platform/src/vault/waiters.ts #byKey': tenant('application id and credential id', REFRESH),
  'packages/platform/src/vault/vault.ts #cache': tenant(
    'application id and version of the data key',
    'tests/isolation/sealed-values.test.ts',
  ),
  'packages/platform/src/vault/upstream-client.ts #servers': tenant(
    'application id, service, fingerprint of its endpoints',
    'tests/isolation/matrix.test.ts',
  ),
  'packages/platform/src/authorization/refusal-lines.ts #minutes': tenant(
    'application id',
    'packages/platform/src/authorization/refused-flows.test.ts',
  ),
  'packages/sandbox/src/breaker.ts #kills': tenant('application id, clientKey, environment', 'packages/sandbox/src/supervisor.test.ts'),
  'packages/sandbox/src/supervisor.ts #slots': tenant(
    'application id, clientKey, environment, version',
    'packages/sandbox/src/supervisor.test.ts',
  ),
  'packages/sandbox/src/supervisor.ts #instances': tenant('its identity', 'packages/sandbox/src/supervisor.test.ts'),
  'packages/sandbox/src/supervisor.ts #starting': tenant('its identity', 'packages/sandbox/src/supervisor.test.ts'),
  'packages/sandbox/src/slot.ts #lines': tenant(
    'instances of one slot, by their limits; a slot is of one identity and version',
    'packages/sandbox/src/supervisor.test.ts',
  ),
  'packages/sandbox/src/inspector-ports.ts #taken': noTenant('ports of this machine that are taken'),
  'packages/sandbox/src/instance.ts #calls': tenant('calls of one instance', 'packages/sandbox/src/gateway.test.ts'),
  'server/src/runner/runner-process.ts #calls': noTenant('calls under way, by a number that only we give'),
  'server/src/runner/code-cache.ts #codes': noTenant('code of Apps, by its SHA-256'),
  'packages/platform/src/accounts/account-shape.ts shapes': tenant('a remembered account', 'tests/isolation/recall.test.ts'),
  'packages/platform/src/authorization/upstream-servers.ts #entries': tenant(
    'application id, service, fingerprint of its endpoints',
    'packages/platform/src/authorization/look-alikes.test.ts',
  ),
  'packages/platform/src/passthrough/upstream-limits.ts #until': tenant(
    'application id and account id',
    'packages/platform/src/passthrough/upstream-limits.test.ts',
  ),
  'packages/platform/src/deliveries/busy-lanes.ts #lanes': tenant(
    'application id and endpoint id',
    'packages/platform/src/deliveries/busy-lanes.test.ts',
  ),
  'packages/platform/src/deliveries/busy-lanes.ts #calls': noTenant('calls under way, only ever counted'),
  'packages/platform/src/surfaces/request-budget.ts #wholeAt': tenant(
    'application id, or organization id at the Meta API',
    'packages/platform/src/surfaces/request-rates.test.ts',
  ),
  'packages/http/src/server/admission.ts #owns': tenant(
    'application id, or organization id at the Meta API',
    'packages/http/src/server/tenant-places.test.ts',
  ),
  'packages/platform/src/tokens/delete-expired.ts #seen': tenant('application id', 'packages/platform/src/tokens/delete-expired.test.ts'),
  'packages/platform/src/vault/refresh-credential.ts #opened': noTenant('opened credentials, by the row that was read: whoever holds it'),
  'packages/postgres/src/recall.ts #compartments': tenant('application id', 'packages/postgres/src/recall-database.test.ts'),
  'packages/http/src/egress/pools.ts #pools': tenant('application id and origin', 'packages/http/src/egress/pools.test.ts'),
  'packages/http/src/egress/pools.ts #leaving': noTenant('connections that are being closed, given to nobody'),
  'packages/platform/src/audit/audit-trail.ts trails': noTenant('by database'),
  'packages/platform/src/audit/audit-trail.ts ready': noTenant('by database'),
  'packages/http/src/server/odd-request.ts suspects': noTenant('by connection'),
  'packages/http/src/server/repeat-callers.ts #refusals': noTenant('numbers of refusals, by connection'),
  'packages/http/src/server/drain.ts #sockets': noTenant('connections and whether one is being answered, only ever closed'),
  'packages/platform/src/passthrough/target.ts bases': noTenant('parts of a base URL, by its text'),
  'packages/http/src/egress/connect.ts afterUse': noTenant('by error'),
  'packages/postgres/src/listener.ts #subscribers': noTenant('by channel; a notification holds ids, never content'),
  'packages/postgres/src/connection-pool.ts #all': noTenant('connections; the scope is of each transaction'),
  'packages/postgres/src/connection-pool.ts #inUse': noTenant('connections; the scope is of each transaction'),
  'packages/postgres/src/connection.ts sockets': noTenant('by connection'),
  'packages/postgres/src/flight.ts shapes': noTenant('names and types of columns, by connection and text of the statement'),
  'packages/postgres/src/sql.ts flatTexts': noTenant('texts of statements, without values'),
  'packages/postgres/src/sql.ts names': noTenant('texts of statements, without values'),
};

/** What lives as long as an object or a module: fields and constants of a module. */
const FORMS = [/^ {2}(?:readonly )?(#\w+) = new (?:Weak)?(?:Map|Set)\b/gm, /^const (\w+) = new (?:Weak)?(?:Map|Set)\b[^(\n]*\(\)/gm];

async function found(): Promise<string[]> {
  const places: string[] = [];
  for await (const path of glob('{packages/{platform,http,postgres,sandbox}/src,server/src}/**/*.ts')) {
    if (/\.(test|testkit|harness)\.ts$/.test(path)) continue;
    const text = await readFile(path, 'utf8');
    for (const form of FORMS) for (const [, name] of text.matchAll(form)) places.push(`${path} ${name}`);
  }
  return places.toSorted();
}

describe('T4: what a process keeps between requests', () => {
  test('is listed, each with whose it is', async () => {
    expect(await found()).toEqual(Object.keys(KEPT).toSorted());
  });

  test.each(Object.entries(KEPT).filter(([, { shownBy }]) => shownBy !== undefined))(
    "%s is its tenant's, and a test shows it",
    (_place, { shownBy }) => {
      expect(existsSync(shownBy!)).toBe(true);
    },
  );
});
