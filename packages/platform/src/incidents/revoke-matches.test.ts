import { sql } from '@bulkhead/postgres';
import type { ConnectingTenant } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { EVERYTHING, IncidentWorld, type Issued, OURS_ONLY, WITH_UPSTREAM } from '../../test/incident-world.ts';
import { rotating, sendJson } from '../../test/token-endpoint.ts';
import { findMatches } from './find-matches.ts';
import { type Revoked, revokeMatches } from './revoke-matches.ts';
import type { Reach, Selection } from './selection.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let it: IncidentWorld;
let alder: ConnectingTenant;
let birch: ConnectingTenant;
let counter = 0;
beforeAll(async () => {
  it = await IncidentWorld.create();
});
afterAll(() => it[Symbol.asyncDispose]());
beforeEach(async () => {
  counter += 1;
  alder = await it.tenant(`alder${counter}`);
  birch = await it.tenant(`birch${counter}`);
});
afterEach(() => {
  it.endpoint.answer = rotating();
});

const now = () => new Date(it.world.clock.now());
const options = () => ({ db: it.world.platform.db, clock: it.world.clock });
const inAlder = (more: Partial<Selection> = {}): Selection => ({ ...EVERYTHING, applicationId: alder.applicationId, ...more });
const revoke = (selection: Selection, reach: Reach = WITH_UPSTREAM) => revokeMatches(options(), alder.applicationId, selection, reach);
const matches = async (selection: Selection, reach: Reach = WITH_UPSTREAM) =>
  (await findMatches(it.world.platform.db, selection, reach, now())).matches;

const alive = { tokens: [200, 200, 200, 200, 200, 200], upstream: [200, 200] };
const tokensDead = [401, 401, 401, 401, 401, 401];
const refreshed = ({ apiKey, refresh }: Issued) => it.token(apiKey, { grant_type: 'refresh_token', refresh_token: refresh });
const account = async ({ apiKey, accountId }: Pick<Issued, 'apiKey' | 'accountId'>) =>
  (await it.show(`/v1/accounts/${accountId}`, `APIKey ${apiKey}`)).json;

describe('what matches', () => {
  test('is dead in every process with the next request; what does not lives on beside it', async () => {
    const hit = await it.issued(alder, 'harbour');
    const otherPerson = await it.issued(alder, 'harbour', 'grace');
    const otherService = await it.issued(alder, 'quay');
    const neighbour = await it.issued(birch, 'harbour');
    expect(await it.worth(hit)).toEqual(alive);
    expect(await revoke(inAlder({ service: 'harbour' }))).toEqual({
      accounts: 2,
      upstreamCredentials: 2,
      grants: 2,
      accessTokens: 6,
      refreshTokens: 2,
    });
    for (const dead of [hit, otherPerson]) {
      expect(await it.worth(dead)).toEqual({ tokens: tokensDead, upstream: [401, 401] });
      expect([(await refreshed(dead)).status, (await refreshed(dead)).json.error]).toEqual([400, 'invalid_grant']);
    }
    for (const living of [otherService, neighbour]) {
      expect(await it.worth(living)).toEqual(alive);
      expect((await refreshed(living)).status).toBe(200);
    }
  });

  test('is counted before: the same numbers, per Application and service, and nothing afterwards', async () => {
    await it.issued(alder, 'harbour');
    await it.issued(alder, 'harbour', 'grace');
    await it.issued(alder, 'quay');
    const found = await matches(inAlder());
    expect(found).toMatchObject([
      { service: 'harbour', accounts: 2, upstreamCredentials: 2, grants: 2, accessTokens: 6, refreshTokens: 2 },
      { service: 'quay', accounts: 1, upstreamCredentials: 1, grants: 1, accessTokens: 3, refreshTokens: 1 },
    ]);
    expect(found.map(({ applicationId }) => applicationId)).toEqual([alder.applicationId, alder.applicationId]);
    const steps: Revoked[] = [];
    await revokeMatches({ ...options(), onProgress: (_, step) => steps.push(step) }, alder.applicationId, inAlder(), WITH_UPSTREAM);
    expect(steps).toEqual([{ accounts: 3, upstreamCredentials: 3, grants: 3, accessTokens: 9, refreshTokens: 3 }]);
    expect(await matches(inAlder())).toEqual([]);
    expect(await revoke(inAlder())).toMatchObject({ accounts: 0 });
  });

  test('by age is what was given, approved or issued before the moment, and whatever hangs from it', async () => {
    const old = await it.issued(alder, 'harbour');
    it.world.clock.advance(120_000);
    const young = await it.issued(alder, 'harbour', 'grace');
    const youngChild = await it.exchanged(alder.apiKey, {
      subject_token: old.ofKey,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    const youngOfOldAccount = await it.exchanged(alder.apiKey, {
      subject_token: alder.apiKey,
      subject_token_type: 'urn:bulkhead:token-type:api-key',
      account_id: String(old.accountId),
    });
    const before = new Date(now().getTime() - 60_000);
    expect(await matches(inAlder({ before }))).toMatchObject([
      { accounts: 1, upstreamCredentials: 1, grants: 1, accessTokens: 4, refreshTokens: 1, newest: now() },
    ]);
    expect(await revoke(inAlder({ before }))).toMatchObject({ accounts: 1, upstreamCredentials: 1, grants: 1, accessTokens: 4 });
    expect(await it.worth(old)).toEqual({ tokens: tokensDead, upstream: [401, 401] });
    expect((await it.show('/v1/accounts/me', `Bearer ${youngChild}`)).status).toBe(401);
    expect((await it.show('/v1/accounts/me', `Bearer ${youngOfOldAccount}`)).status).toBe(200);
    expect(await it.worth(young)).toEqual(alive);
  });

  test('holds a code that nobody has redeemed, and the connection that waits for it', async () => {
    const redeem = await it.code(alder, 'harbour', 'ada');
    const neighbours = await it.code(birch, 'harbour', 'ada');
    expect(await revoke(inAlder())).toMatchObject({ accounts: 1, upstreamCredentials: 1 });
    await expect(redeem()).rejects.toThrow('invalid_grant');
    expect((await neighbours()).access_token).toMatch(/^bha_/);
    const left = await it.world.platform.db.tenantQuery(
      alder.applicationId,
      sql`select 1 from accounts where application_id = ${alder.applicationId}`,
    );
    expect(left).toEqual([]);
  });

  test.each([
    ['an Application that there is not', { applicationId: 'appNone' as never }, 'incident.unknown_application'],
    ['a service that nobody has', { service: 'harbor' }, 'incident.unknown_service'],
  ])('is an error for %s, not an incident without victims', async (_, selection, code) => {
    await expect(matches({ ...EVERYTHING, ...selection })).rejects.toMatchObject({ code });
  });

  test('of a service in the catalogue that nobody uses is nothing', async () => {
    expect(await matches(inAlder({ service: 'gdrive' }))).toEqual([]);
  });

  test('is not counted in an Application that is deleted', async () => {
    const { accountId } = await it.issued(alder, 'harbour');
    expect(accountId).toBeGreaterThan(0);
    expect((await it.world.meta('DELETE', `/applications/${alder.applicationId}`)).status).toBe(204);
    await expect(matches(inAlder())).rejects.toMatchObject({ code: 'incident.unknown_application' });
  });
});

describe('an account whose upstream credential was revoked', () => {
  test('stays, says why it is broken, and keeps its id when the same person connects again', async () => {
    const hit = await it.issued(alder, 'harbour');
    await revoke(inAlder());
    expect(await account(hit)).toMatchObject({ id: hit.accountId, health: 'broken', broken_reason: 'revoked_by_operator' });
    const refused = await it.show(`/v1/accounts/${hit.accountId}/proxy/echo`, `APIKey ${alder.apiKey}`);
    expect(refused.json).toMatchObject({ error_code: 'service_unauthorized', message: expect.stringContaining('/reconnect') });
    expect((await it.show(`/v1/accounts/${hit.accountId}?retrieve_tokens=true`, `APIKey ${alder.apiKey}`)).json.token).toBeUndefined();
    const again = await it.issued(alder, 'harbour');
    expect(again.accountId).toBe(hit.accountId);
    expect(await account(hit)).toMatchObject({ health: 'healthy', broken_reason: null });
    expect(await it.worth(again)).toEqual(alive);
    expect(await it.worth(hit)).toMatchObject({ tokens: tokensDead });
  });

  test('is healthy again with tokens that the company gives it', async () => {
    alder = await it.tenant(`pier${counter}`, ['pier']);
    const accountId = await it.imported(alder, {});
    await revoke(inAlder());
    const patch = (body: object) =>
      it.world.call('PATCH', `/v1/accounts/${accountId}`, { headers: { authorization: `APIKey ${alder.apiKey}` }, body });
    // Nothing is left of the credential before, so nothing of it can be kept.
    expect((await patch({ refresh_token: 'refresh-9' })).status).toBe(400);
    expect((await patch({ token: 'access-9' })).json).toMatchObject({ health: 'healthy', broken_reason: null });
    it.endpoint.answer = (_, response) => sendJson(response, 200, {});
    expect((await it.show(`/v1/accounts/${accountId}/proxy/x`, `APIKey ${alder.apiKey}`)).status).toBe(200);
    expect(it.endpoint.requests.at(-1)?.authorization).toBe('Bearer access-9');
  });

  test('can be disconnected', async () => {
    const { accountId, apiKey } = await it.issued(alder, 'harbour');
    await revoke(inAlder());
    const gone = await it.world.call('DELETE', `/v1/accounts/${accountId}`, { headers: { authorization: `APIKey ${apiKey}` } });
    expect(gone.status).toBe(204);
  });
});

test('ours only: the tokens end, and the upstream credential goes on to serve the API key', async () => {
  const hit = await it.issued(alder, 'harbour');
  expect(await matches(inAlder(), OURS_ONLY)).toMatchObject([{ accounts: 1, upstreamCredentials: 0, grants: 1 }]);
  expect(await revoke(inAlder(), OURS_ONLY)).toMatchObject({ accounts: 1, upstreamCredentials: 0, grants: 1 });
  expect(await it.worth(hit)).toEqual({ tokens: tokensDead, upstream: [200, 200] });
  expect(await matches(inAlder(), OURS_ONLY)).toEqual([]);
});

describe('an interrupted run', () => {
  test('has ended whole accounts, and run again it ends the others', async () => {
    const all = [await it.issued(alder, 'harbour'), await it.issued(alder, 'harbour', 'grace'), await it.issued(alder, 'quay')];
    const stop = new AbortController();
    const cut = { ...options(), batchAccounts: 1, signal: stop.signal, onProgress: () => stop.abort() };
    expect(await revokeMatches(cut, alder.applicationId, inAlder(), WITH_UPSTREAM)).toMatchObject({ accounts: 1, upstreamCredentials: 1 });
    const worth = await Promise.all(all.map((each) => it.worth(each)));
    expect(worth.filter(({ tokens }) => tokens.every((status) => status === 401))).toHaveLength(1);
    expect(worth.filter(({ tokens }) => tokens.every((status) => status === 200))).toHaveLength(2);
    expect((await matches(inAlder())).reduce((sum, { accounts }) => sum + accounts, 0)).toBe(2);
    expect(await revoke(inAlder())).toMatchObject({ accounts: 2, upstreamCredentials: 2 });
    for (const each of all) expect(await it.worth(each)).toEqual({ tokens: tokensDead, upstream: [401, 401] });
  });

  test('that could not write its audit entry has ended nothing', async () => {
    const hit = await it.issued(alder, 'harbour');
    const { db } = it.world.platform;
    const deaf: typeof db = {
      ...db,
      withTenant: (applicationId, work) =>
        db.withTenant(applicationId, async (tx) => {
          const refuse = {
            get: (target: object, name: string) => (name === 'execute' || name === 'query' ? guarded(target, name) : bound(target, name)),
          };
          return work(new Proxy(tx, refuse) as typeof tx);
        }),
    };
    const bound = (target: object, name: string): unknown => {
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    };
    const guarded = (target: object, name: string) => (statement: { text: string }) => {
      if (/insert into "?audit_entries/.test(statement.text)) throw new Error('no audit today');
      return (bound(target, name) as (statement: unknown) => unknown)(statement);
    };
    await expect(revokeMatches({ ...options(), db: deaf }, alder.applicationId, inAlder(), WITH_UPSTREAM)).rejects.toThrow(
      'no audit today',
    );
    expect(await it.worth(hit)).toEqual(alive);
  });
});

test('every transaction leaves its entry in the log of the Application, by the operator, and none elsewhere', async () => {
  const [first, second] = [await it.issued(alder, 'harbour'), await it.issued(alder, 'harbour', 'grace')];
  await it.issued(birch, 'harbour');
  await revokeMatches({ ...options(), batchAccounts: 1 }, alder.applicationId, inAlder({ service: 'harbour' }), WITH_UPSTREAM);
  const entries = (applicationId: typeof alder.applicationId) =>
    it.world.platform.db.tenantQuery<{ actor: unknown; detail: Record<string, unknown> }>(
      applicationId,
      sql`select actor, detail from audit_entries where application_id = ${applicationId} and action = 'tokens.revoked'`,
    );
  const written = await entries(alder.applicationId);
  expect(written).toHaveLength(2);
  expect(written.flatMap(({ detail }) => detail['account_ids']).sort()).toEqual([first.accountId, second.accountId].sort());
  for (const { actor, detail } of written) {
    expect(actor).toEqual({ kind: 'operator' });
    expect(detail).toMatchObject({
      service: 'harbour',
      before: null,
      upstream: true,
      upstream_credentials: 1,
      grants: 1,
      access_tokens: 3,
    });
  }
  expect(await entries(birch.applicationId)).toEqual([]);
});
