import type { ServerResponse } from 'node:http';
import { type ApplicationId, type Log, type LogFields, ManualClock, PlatformError, Secret, silentLog } from '@bulkhead/base';
import { createEgress, type Egress } from '@bulkhead/http';
import { type Database, openDatabase, sql } from '@bulkhead/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { rotating, sendJson, type TokenEndpoint, tokenEndpoint } from '../../test/token-endpoint.ts';
import { customService, parseServiceDefinition } from '../services/index.ts';
import { taskWorker } from '../tasks/index.ts';
import {
  CredentialRefresher,
  type CredentialRefresherOptions,
  type CredentialUse,
  revokeCredentialTask,
  revokeLater,
  storeCredential,
} from './index.ts';

let world: TenantWorld;
let endpoint: TokenEndpoint;
let egress: Egress;
let application: ApplicationId;
const open: { close: () => Promise<void> }[] = [];
const told: string[] = [];

beforeAll(async () => {
  world = await tenantWorld();
  egress = createEgress({ allow: ['127.0.0.0/8'], ownListeners: () => [], log: silentLog, clock: new ManualClock() });
});
afterAll(async () => {
  await egress.close();
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  endpoint = await tokenEndpoint();
  application = await world.application();
  told.length = 0;
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  await endpoint[Symbol.asyncDispose]();
});

function resolve() {
  const definition = parseServiceDefinition({
    id: 'harbour',
    friendly_name: 'Harbour',
    auth: {
      type: 'oauth2',
      authorization_endpoint: `${endpoint.url}/authorize`,
      token_endpoint: `${endpoint.url}/token`,
      revocation_endpoint: `${endpoint.url}/revoke`,
    },
    api: { base_url: endpoint.url },
  });
  return Promise.resolve({ definition: customService(definition), client: { clientId: 'us', clientSecret: new Secret('client-secret') } });
}

function refresher(options: Partial<CredentialRefresherOptions> & { db?: Database } = {}): CredentialRefresher {
  const made = new CredentialRefresher({
    db: world.database.database,
    vault: world.vault,
    clock: world.clock,
    egress,
    resolve,
    onBroken: async (_tx, _key, reason) => void told.push(`broken ${reason}`),
    onRefreshed: async () => void told.push('refreshed'),
    log: silentLog,
    ...options,
  });
  open.push(made);
  return made;
}

async function stored(
  fields: { expiresInMs?: number | null; refreshToken?: string | null } = {},
): Promise<{ applicationId: ApplicationId; credentialId: string }> {
  const { expiresInMs = 3_600_000, refreshToken = 'refresh-1' } = fields;
  const credentialId = await world.database.database.withTenant(application, (tx) =>
    storeCredential(tx, world.vault, {
      applicationId: application,
      service: 'harbour',
      tokens: {
        accessToken: new Secret('access-1'),
        ...(refreshToken === null ? {} : { refreshToken: new Secret(refreshToken) }),
        ...(expiresInMs === null ? {} : { expiresAt: world.clock.now() + expiresInMs }),
        kept: { instance_url: 'https://kept.example' },
      },
      now: world.now(),
    }),
  );
  return { applicationId: application, credentialId };
}

function accessToken(use: CredentialUse | null): string {
  if (use?.kind !== 'usable' || use.credential.type !== 'oauth2') throw new Error(`not usable: ${JSON.stringify(use)}`);
  return use.credential.accessToken.reveal();
}

const row = async (key: { credentialId: string }) =>
  (
    await world.database.database.tenantQuery<{
      version: number;
      broken_reason: string | null;
      lease_until: Date | null;
      retry_after: Date | null;
      failure_count: number;
    }>(
      application,
      sql`select version, broken_reason, lease_until, retry_after, failure_count from credentials where application_id = ${application} and credential_id = ${key.credentialId}`,
    )
  )[0];

/** Another process, as far as the database can tell. */
function otherProcess(): Database {
  const db = openDatabase({ ...world.database.urls, log: silentLog, poolSize: 5 });
  open.push(db);
  return db;
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof PlatformError ? error.code : String(error)),
  );
}

describe('a credential that is good', () => {
  test('is handed out without asking anybody', async () => {
    const key = await stored();
    expect(accessToken(await refresher().currentCredential(key))).toBe('access-1');
    expect(endpoint.requests).toEqual([]);
  });

  test('of another Application is nothing at all', async () => {
    const key = await stored();
    expect(await refresher().currentCredential({ ...key, applicationId: await world.application() })).toBeNull();
  });

  test('and without a known end is used until the upstream refuses it', async () => {
    const key = await stored({ expiresInMs: null });
    world.clock.advance(86_400_000);
    const it = refresher();
    expect(accessToken(await it.currentCredential(key))).toBe('access-1');
    expect(accessToken(await it.forceRefresh(key, 1))).toBe('access-2');
    expect(endpoint.requests).toHaveLength(1);
  });

  test('about to end is renewed beside the call that noticed, which does not wait', async () => {
    const key = await stored();
    world.clock.advance(3_600_000 - 20_000);
    const held = Promise.withResolvers<void>();
    endpoint.answer = async (_request, response) => {
      await held.promise;
      sendJson(response, 200, { access_token: 'access-2', token_type: 'bearer', expires_in: 60 });
    };
    const it = refresher();
    expect(accessToken(await it.currentCredential(key))).toBe('access-1');
    held.resolve();
    await expect.poll(async () => (await row(key))?.version).toBe(2);
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
  });
});

describe('an expired credential', () => {
  test('is renewed by the refresh token and kept before its first use', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const use = await refresher().currentCredential(key);
    expect(accessToken(use)).toBe('access-2');
    expect(endpoint.requests[0]?.form.get('grant_type')).toBe('refresh_token');
    expect(endpoint.requests[0]?.authorization).toMatch(/^Basic /);
    expect(await row(key)).toMatchObject({ version: 2, lease_until: null, broken_reason: null });
    expect(told).toEqual(['refreshed']);
    // What only the first answer held stays with the account.
    expect(use?.kind === 'usable' && use.credential.type === 'oauth2' && use.credential.kept).toEqual({
      instance_url: 'https://kept.example',
    });
  });

  test('makes one upstream call for fifty callers in one process', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const it = refresher();
    const uses = await Promise.all(Array.from({ length: 50 }, () => it.currentCredential(key)));
    expect(new Set(uses.map(accessToken))).toEqual(new Set(['access-2']));
    expect(endpoint.requests).toHaveLength(1);
  });

  test('makes one upstream call for forty callers in four processes', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const all = [refresher(), ...Array.from({ length: 3 }, () => refresher({ db: otherProcess() }))];
    const uses = await Promise.all(all.flatMap((each) => Array.from({ length: 10 }, () => each.currentCredential(key))));
    expect(new Set(uses.map(accessToken))).toEqual(new Set(['access-2']));
    expect(endpoint.requests).toHaveLength(1);
  });

  test('would be asked for by every process without the lease (control)', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const waiting = Promise.withResolvers<void>();
    endpoint.answer = async (_request, response) => {
      await waiting.promise;
      sendJson(response, 200, { access_token: 'access-x', token_type: 'bearer', expires_in: 60 });
    };
    const [first, second] = [refresher(), refresher({ db: otherProcess() })];
    const uses = [first.currentCredential(key)];
    await expect.poll(() => endpoint.requests.length).toBe(1);
    await world.database.database.withTenant(application, (tx) =>
      tx.execute(sql`update credentials set lease_until = null where application_id = ${application}`),
    );
    uses.push(second.currentCredential(key));
    await expect.poll(() => endpoint.requests.length).toBe(2);
    waiting.resolve();
    await Promise.all(uses);
  });

  test('holds no database connection while the upstream thinks', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const waiting = Promise.withResolvers<void>();
    const inner = rotating();
    endpoint.answer = async (request, response) => {
      await waiting.promise;
      await inner(request, response);
    };
    const db = openDatabase({ ...world.database.urls, log: silentLog, poolSize: 1, acquireTimeoutMs: 2_000 });
    open.push(db);
    const use = refresher({ db }).currentCredential(key);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    expect(await db.tenantQuery(application, sql`select 1 as one`)).toEqual([{ one: 1 }]);
    waiting.resolve();
    expect(accessToken(await use)).toBe('access-2');
  });

  test('is used at once although its new life is shorter than the margin', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 200, { access_token: 'brief', token_type: 'bearer', expires_in: 10 });
    expect(accessToken(await refresher().currentCredential(key))).toBe('brief');
    expect(endpoint.requests).toHaveLength(1);
  });

  test('keeps its refresh token where the answer brings none', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 200, { access_token: 'access-2', token_type: 'bearer', expires_in: 60 });
    const it = refresher();
    await it.currentCredential(key);
    world.clock.advance(60_000);
    await it.currentCredential(key);
    expect(endpoint.requests.map(({ form }) => form.get('refresh_token'))).toEqual(['refresh-1', 'refresh-1']);
  });
});

describe('a refresh that fails', () => {
  test('for good breaks the credential, says so once, and nobody asks again', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 400, { error: 'invalid_grant' });
    const all = [refresher(), refresher({ db: otherProcess() })];
    const uses = await Promise.all(all.flatMap((each) => Array.from({ length: 5 }, () => each.currentCredential(key))));
    expect(uses).toEqual(Array.from({ length: 10 }, () => ({ kind: 'broken', reason: 'invalid_grant' })));
    expect(await all[0]!.currentCredential(key)).toEqual({ kind: 'broken', reason: 'invalid_grant' });
    expect(await all[0]!.forceRefresh(key, 1)).toEqual({ kind: 'broken', reason: 'invalid_grant' });
    expect(endpoint.requests).toHaveLength(1);
    expect(told).toEqual(['broken invalid_grant']);
  });

  test('for want of a refresh token breaks the credential', async () => {
    const key = await stored({ refreshToken: null });
    expect(accessToken(await refresher().currentCredential(key))).toBe('access-1');
    world.clock.advance(3_600_000);
    expect(await refresher().currentCredential(key)).toEqual({ kind: 'broken', reason: 'no_refresh_token' });
    expect(endpoint.requests).toEqual([]);
    expect(told).toEqual(['broken no_refresh_token']);
  });

  test('for a while answers 503 with Retry-After, asks again only then, and then works', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 503, {}, { 'retry-after': '7' });
    const it = refresher();
    const failure = await it.currentCredential(key).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'vault.refresh_failed', status: 503, retryAfterSeconds: 7 });
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    expect(endpoint.requests).toHaveLength(1);
    expect(await row(key)).toMatchObject({ version: 1, broken_reason: null, failure_count: 1, lease_until: null });
    endpoint.answer = rotating();
    world.clock.advance(7_000);
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
    expect(await row(key)).toMatchObject({ failure_count: 0, retry_after: null });
  });

  test.each([
    [
      'a page with status 200',
      (_: unknown, response: ServerResponse) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>'),
    ],
    ['an error nobody knows', (_: unknown, response: ServerResponse) => sendJson(response, 400, { error: 'flux_capacitor' })],
    ['a broken connection', (_: unknown, response: ServerResponse) => void response.destroy()],
    [
      'a token type that is no bearer',
      (_: unknown, response: ServerResponse) => sendJson(response, 200, { access_token: 'x', token_type: 'mac' }),
    ],
  ])('by %s loses no account', async (_name, answer) => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = answer;
    const it = refresher();
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    expect((await row(key))?.broken_reason).toBeNull();
    endpoint.answer = rotating();
    world.clock.advance(300_000);
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
  });

  test('for a refused OAuth key blames the key, not the account', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 401, { error: 'invalid_client' });
    expect(await code(refresher().currentCredential(key))).toBe('vault.client_refused');
    expect((await row(key))?.broken_reason).toBeNull();
    expect(told).toEqual([]);
  });

  test('for a missing OAuth key says so', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    expect(await code(refresher({ resolve: () => Promise.resolve(null) }).currentCredential(key))).toBe('vault.no_client');
    expect((await row(key))?.broken_reason).toBeNull();
  });

  test('waits longer each time, at most five minutes', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 500, {});
    const it = refresher({ random: (count) => new Uint8Array(count).fill(255) });
    const waits: number[] = [];
    for (let n = 0; n < 10; n++) {
      const error = await it.currentCredential(key).catch((thrown: unknown) => thrown as PlatformError);
      waits.push((error as PlatformError).retryAfterSeconds!);
      world.clock.advance(waits[n]! * 1000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
  });

  test('writes no token into the log', async () => {
    const lines: string[] = [];
    const note = (message: string, fields?: LogFields): void =>
      void lines.push(
        message +
          JSON.stringify(fields, (_key, value: unknown) =>
            value instanceof Error ? { ...value, message: value.message, stack: value.stack } : value,
          ),
      );
    const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
    const key = await stored();
    world.clock.advance(3_600_000);
    endpoint.answer = (_request, response) => sendJson(response, 400, { error: 'invalid_grant', error_description: 'refresh-1 is dead' });
    await refresher({ log }).currentCredential(key);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('\n')).not.toMatch(/refresh-1|access-1|client-secret/);
  });
});

describe('a holder of the lease', () => {
  async function leased(key: { credentialId: string }): Promise<void> {
    await world.database.database.withTenant(application, (tx) =>
      tx.execute(
        sql`update credentials set lease_owner = 'dead', lease_fence = lease_fence + 1, lease_until = ${new Date(world.clock.now() + 20_000)} where application_id = ${application} and credential_id = ${key.credentialId}`,
      ),
    );
  }

  test('that died is waited for until its lease ends and then followed', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    await leased(key);
    let looks = 0;
    const it = refresher({
      timers: {
        after: (ms, callback) => {
          // What callers wait for an answer to be kept.
          if (ms > 1_000) return () => undefined;
          looks++;
          if (looks === 3) {
            expect(endpoint.requests).toEqual([]);
            world.clock.advance(20_001);
          }
          setImmediate(callback);
          return () => undefined;
        },
      },
    });
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
    expect(looks).toBe(3);
  });

  test('that is slow does not keep the old token from being used while it lives', async () => {
    const key = await stored();
    world.clock.advance(3_600_000 - 20_000);
    await leased(key);
    expect(accessToken(await refresher().currentCredential(key))).toBe('access-1');
    expect(endpoint.requests).toEqual([]);
  });

  test('that comes back after another took over: the answer that is kept first counts, and a refusal of the other does not break it', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const slow = Promise.withResolvers<void>();
    endpoint.answer = async (_request, response) => {
      if (endpoint.requests.length === 1) {
        await slow.promise;
        return sendJson(response, 200, {
          access_token: 'from-the-slow-one',
          refresh_token: 'refresh-2',
          token_type: 'bearer',
          expires_in: 3600,
        });
      }
      // The upstream has rotated already: to the second caller the refresh token is dead.
      return sendJson(response, 400, { error: 'invalid_grant' });
    };
    const first = refresher().currentCredential(key);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    world.clock.advance(20_001);
    expect(await refresher({ db: otherProcess() }).currentCredential(key)).toEqual({ kind: 'broken', reason: 'invalid_grant' });
    slow.resolve();
    expect(accessToken(await first)).toBe('from-the-slow-one');
    expect(await row(key)).toMatchObject({ version: 2, broken_reason: null });
    expect(told).toEqual(['broken invalid_grant', 'refreshed']);
  });

  test('waits for a database that is away for a moment, because new tokens exist only in its memory', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const db = world.database.database;
    let failures = 0;
    const flaky: Database = {
      ...db,
      withTenant: (id, work) => {
        if (endpoint.requests.length === 1 && failures < 3) {
          failures++;
          return Promise.reject(new Error('away'));
        }
        return db.withTenant(id, work);
      },
    };
    const it = refresher({ db: flaky, timers: { after: (ms, callback) => (ms > 1_000 || setImmediate(callback), () => undefined) } });
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
    expect(failures).toBe(3);
    expect(endpoint.requests).toHaveLength(1);
  });
});

test('a holder whose own call fails after another has kept new tokens hands those out', async () => {
  const key = await stored();
  world.clock.advance(3_600_000);
  const resumed = Promise.withResolvers<void>();
  const inner = rotating();
  endpoint.answer = async (request, response) => {
    if (endpoint.requests.length > 1) return inner(request, response);
    await resumed.promise;
    response.destroy();
  };
  const suspended = refresher().currentCredential(key);
  await expect.poll(() => endpoint.requests.length).toBe(1);
  world.clock.advance(20_001);
  expect(accessToken(await refresher({ db: otherProcess() }).currentCredential(key))).toBe('access-2');
  resumed.resolve();
  expect(accessToken(await suspended)).toBe('access-2');
  expect(await row(key)).toMatchObject({ version: 2, failure_count: 0, retry_after: null });
});

describe('an answer that cannot be kept at once', () => {
  const away = new PlatformError('database.unavailable', {
    status: 503,
    wire: 'service_not_available',
    oauth: 'temporarily_unavailable',
    text: 'away',
  });
  /** Callers are told at once; the pauses between attempts are short. */
  const atOnce = {
    after: (ms: number, callback: () => void) => {
      const timer = setTimeout(callback, ms > 1_000 ? 0 : 20);
      return () => clearTimeout(timer);
    },
  };

  /** The world's database, which takes nothing from the moment the upstream has answered until told. */
  function flaky(thrown: Error) {
    const db = world.database.database;
    const state = { isAway: true, refused: 0 };
    const withTenant: Database['withTenant'] = (id, work) => {
      if (endpoint.requests.length === 0 || !state.isAway) return db.withTenant(id, work);
      state.refused++;
      return Promise.reject(thrown);
    };
    return { state, db: { ...db, withTenant } satisfies Database };
  }

  test('is held on to while its callers are told to come back, and the upstream is not asked again', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const { state, db } = flaky(away);
    const it = refresher({ db, timers: atOnce });
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    const refusedByThen = state.refused;
    await expect.poll(() => state.refused).toBeGreaterThan(refusedByThen + 6);
    state.isAway = false;
    await expect.poll(async () => (await row(key))?.version).toBe(2);
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
    expect(endpoint.requests).toHaveLength(1);
  });

  test('is not asked for a second time by its own process when the lease has ended', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    let isAway = true;
    const onRefreshed = () => (isAway ? Promise.reject(away) : Promise.resolve());
    const it = refresher({ onRefreshed, timers: atOnce });
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    world.clock.advance(20_001);
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    isAway = false;
    await expect.poll(async () => (await row(key))?.version).toBe(2);
    expect(accessToken(await it.currentCredential(key))).toBe('access-2');
    expect(endpoint.requests).toHaveLength(1);
  });

  test('is waited for by `close`', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const { state, db } = flaky(away);
    const it = refresher({ db, timers: atOnce });
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    const closed = it.close();
    state.isAway = false;
    await closed;
    expect((await row(key))?.version).toBe(2);
  });

  test('control: one that the database refuses for another reason is given up after a few attempts', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const { state, db } = flaky(new Error('a constraint'));
    const it = refresher({ db, timers: atOnce });
    expect(await code(it.currentCredential(key))).toBe('vault.refresh_failed');
    await it.close();
    expect(state.refused).toBe(6);
    expect((await row(key))?.version).toBe(1);
  });
});

test('a holder that was suspended before it could ask does not send the refresh token after another has', async () => {
  const key = await stored();
  world.clock.advance(3_600_000);
  const asked = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const inner = rotating();
  endpoint.answer = async (request, response) => {
    if (!request.path.startsWith('/.well-known/')) return inner(request, response);
    asked.resolve();
    await resumed.promise;
    const endpoints = { authorization_endpoint: `${endpoint.url}/authorize`, token_endpoint: `${endpoint.url}/token` };
    sendJson(response, 200, { issuer: endpoint.url, response_types_supported: ['code'], ...endpoints });
  };
  const byIssuer = parseServiceDefinition({
    id: 'harbour',
    friendly_name: 'Harbour',
    auth: { type: 'oauth2', issuer: endpoint.url },
    api: { base_url: endpoint.url },
  });
  const suspended = refresher({ resolve: async () => ({ ...(await resolve()), definition: customService(byIssuer) }) }).currentCredential(
    key,
  );
  await asked.promise;
  world.clock.advance(20_001);
  expect(accessToken(await refresher({ db: otherProcess() }).currentCredential(key))).toBe('access-2');
  resumed.resolve();
  expect(accessToken(await suspended)).toBe('access-2');
  expect(endpoint.requests.filter(({ path }) => path === '/token')).toHaveLength(1);
  expect(await row(key)).toMatchObject({ version: 2, broken_reason: null });
});

describe('a refused credential (401)', () => {
  test('is renewed once by all who saw the same version', async () => {
    const key = await stored();
    const [one, two] = [refresher(), refresher({ db: otherProcess() })];
    const uses = await Promise.all([one, two, one, two].map((each) => each.forceRefresh(key, 1)));
    expect(new Set(uses.map(accessToken))).toEqual(new Set(['access-2']));
    expect(accessToken(await one.forceRefresh(key, 1))).toBe('access-2');
    expect(endpoint.requests).toHaveLength(1);
  });

  test('that was renewed a moment ago is not renewed again: a path that always refuses makes no storm', async () => {
    const key = await stored();
    const it = refresher();
    expect(accessToken(await it.forceRefresh(key, 1))).toBe('access-2');
    expect(await it.forceRefresh(key, 2)).toBeNull();
    expect(endpoint.requests).toHaveLength(1);
    world.clock.advance(31_000);
    expect(accessToken(await it.forceRefresh(key, 2))).toBe('access-3');
    expect(endpoint.requests).toHaveLength(2);
  });

  test('without a refresh token is left alone: one refusal does not break an account', async () => {
    const key = await stored({ refreshToken: null });
    expect(await refresher().forceRefresh(key, 1)).toBeNull();
    expect((await row(key))?.broken_reason).toBeNull();
  });
});

describe('revocation', () => {
  const revoked = () => endpoint.requests.filter(({ path }) => path === '/revoke').map(({ form }) => form.get('token'));

  function worker() {
    return taskWorker({
      db: world.database.database,
      clock: world.clock,
      log: silentLog,
      tasks: [
        revokeCredentialTask({ db: world.database.database, vault: world.vault, clock: world.clock, egress, resolve, log: silentLog }),
      ],
    });
  }

  test('tells the upstream, then forgets the credential', async () => {
    const key = await stored();
    await world.database.database.withTenant(application, (tx) => revokeLater(tx, key));
    await worker().runDue();
    expect(revoked()).toEqual(['refresh-1']);
    expect(await row(key)).toBeUndefined();
  });

  test('is tried again while the upstream is away, and the credential kept until then', async () => {
    const key = await stored();
    await world.database.database.withTenant(application, (tx) => revokeLater(tx, key));
    endpoint.answer = (_request, response) => sendJson(response, 503, {});
    await worker().runDue();
    expect(await row(key)).toBeDefined();
    endpoint.answer = rotating();
    world.clock.advance(60_000);
    await worker().runDue();
    world.clock.advance(60_000);
    await worker().runDue();
    expect(await row(key)).toBeUndefined();
  });

  test('waits for a refresh under way and revokes what that brings', async () => {
    const key = await stored();
    world.clock.advance(3_600_000);
    const held = Promise.withResolvers<void>();
    const inner = rotating();
    endpoint.answer = async (request, response) => {
      if (request.path === '/token') await held.promise;
      await inner(request, response);
    };
    const use = refresher().currentCredential(key);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    await world.database.database.withTenant(application, (tx) => revokeLater(tx, key));
    await worker().runDue();
    expect(revoked()).toEqual([]);
    held.resolve();
    await use;
    world.clock.advance(20_001);
    await worker().runDue();
    expect(revoked()).toEqual(['refresh-2']);
  });
});
