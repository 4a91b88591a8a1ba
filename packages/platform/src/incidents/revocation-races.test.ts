import { sql } from '@bulkhead/postgres';
import type { ConnectingTenant } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EVERYTHING, IncidentWorld, WITH_UPSTREAM } from '../../test/incident-world.ts';
import { rotating, sendJson } from '../../test/token-endpoint.ts';
import { findMatches } from './find-matches.ts';
import { revokeMatches } from './revoke-matches.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const SOON = { timeout: 60_000, interval: 50 };

let it: IncidentWorld;
let alder: ConnectingTenant;
beforeEach(async () => {
  it = await IncidentWorld.create();
  alder = await it.tenant('alder', ['harbour', 'pier']);
});
afterEach(() => it[Symbol.asyncDispose]());

const now = () => new Date(it.world.clock.now());
const revoke = () =>
  revokeMatches(
    { db: it.world.platform.db, clock: it.world.clock },
    alder.applicationId,
    { ...EVERYTHING, applicationId: alder.applicationId },
    WITH_UPSTREAM,
  );
const untold = async () => (await findMatches(it.world.platform.db, EVERYTHING, WITH_UPSTREAM, now())).untold;
const credentialsLeft = () =>
  it.world.platform.db.tenantQuery(alder.applicationId, sql`select 1 from credentials where application_id = ${alder.applicationId}`);
const account = async (accountId: number) => (await it.show(`/v1/accounts/${accountId}`, `APIKey ${alder.apiKey}`)).json;
const throughUpstream = (accountId: number, url = it.world.url) =>
  it.show(`${url}/v1/accounts/${accountId}/proxy/x`, `APIKey ${alder.apiKey}`);

describe('a refresh that is under way when its credential is revoked', () => {
  /** An account whose next call must refresh, and a token endpoint that answers when it is told to. */
  async function heldRefresh() {
    const accountId = await it.imported(alder, { token_expiry: new Date(it.world.clock.now() + 60_000).toISOString() });
    it.world.clock.advance(120_000);
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const rotate = rotating();
    it.endpoint.answer = async (request, response) => {
      if (request.path.startsWith('/api')) return sendJson(response, 200, { seen: request.authorization });
      if (request.path === '/token') {
        asked.resolve();
        await answer.promise;
      }
      return rotate(request, response);
    };
    const callers = it.urls.map((url) => throughUpstream(accountId, url));
    await asked.promise;
    return { accountId, callers, answer: () => answer.resolve() };
  }

  test('brings it back for nobody, and what it brought is what the service is told to revoke, once', async () => {
    const { accountId, callers, answer } = await heldRefresh();
    expect(await revoke()).toMatchObject({ accounts: 1, upstreamCredentials: 1 });
    answer();
    expect((await Promise.all(callers)).map(({ status }) => status)).toEqual([401, 401]);
    expect(await account(accountId)).toMatchObject({ health: 'broken', broken_reason: 'revoked_by_operator' });
    expect((await Promise.all(it.urls.map((url) => throughUpstream(accountId, url)))).map(({ status }) => status)).toEqual([401, 401]);
    expect(it.endpoint.requests.filter(({ path }) => path === '/api/x')).toEqual([]);
    await it.startWorkers();
    await vi.waitFor(async () => {
      // The task waits for the lease of the refresh, if that has not been given back.
      it.world.clock.advance(1_000);
      expect(await credentialsLeft()).toEqual([]);
    }, SOON);
    expect(it.told()).toEqual(['refresh-2']);
    expect(await account(accountId)).toMatchObject({ health: 'broken', broken_reason: 'revoked_by_operator' });
  });

  test('control: without a revocation it serves both callers', async () => {
    const { accountId, callers, answer } = await heldRefresh();
    answer();
    expect((await Promise.all(callers)).map(({ json }) => json.seen)).toEqual(['Bearer access-2', 'Bearer access-2']);
    expect(await account(accountId)).toMatchObject({ health: 'healthy' });
  });
});

describe('the service', () => {
  test('is told of each credential once, by two processes with a worker each', async () => {
    const refreshTokens = Array.from({ length: 12 }, (_, index) => `refresh-of-${index}`);
    for (const token of refreshTokens) await it.imported(alder, { account: token, refresh_token: token });
    await it.startWorkers();
    expect(await revoke()).toMatchObject({ accounts: 12, upstreamCredentials: 12 });
    await vi.waitFor(async () => expect(await credentialsLeft()).toEqual([]), SOON);
    expect(it.told().sort()).toEqual(refreshTokens.sort());
  });

  test('that is down is told when it is back; the account is closed all the while, and the count says so', async () => {
    const accountId = await it.imported(alder, {});
    it.endpoint.answer = (_, response) => sendJson(response, 503, {});
    await revoke();
    expect(await untold()).toEqual({ waiting: 1, failing: 0 });
    await it.startWorkers();
    await vi.waitFor(async () => expect(await untold()).toEqual({ waiting: 1, failing: 1 }), SOON);
    expect((await throughUpstream(accountId)).status).toBe(401);
    it.endpoint.answer = rotating();
    const failures = it.told().length;
    await vi.waitFor(async () => {
      it.world.clock.advance(60_000);
      expect(await credentialsLeft()).toEqual([]);
    }, SOON);
    expect(await untold()).toEqual({ waiting: 0, failing: 0 });
    expect(it.told().slice(failures)).toEqual(['refresh-1']);
  });
});

describe('who asks for tokens while they are revoked', () => {
  test('has none left of a grant or a token that was revoked', async () => {
    const grants = [];
    for (let person = 0; person < 6; person += 1) grants.push(await it.issued(alder, 'harbour', `person${person}`));
    const asking = grants.flatMap(({ refresh, access }, index) => [
      it.token(alder.apiKey, { grant_type: 'refresh_token', refresh_token: refresh }, it.urls[index % 2]),
      it.token(
        alder.apiKey,
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: access,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        },
        it.urls[(index + 1) % 2],
      ),
    ]);
    const [, ...answers] = await Promise.all([revoke(), ...asking]);
    // Whatever came through did so before its account was reached.
    for (const { status } of answers) expect([200, 400, 503]).toContain(status);
    const tokens = answers.filter(({ status }) => status === 200).map(({ json }) => json.access_token as string);
    const worth = await Promise.all(
      [...tokens, ...grants.map(({ access }) => access)].map((token) => it.show('/v1/accounts/me', `Bearer ${token}`)),
    );
    expect(worth.map(({ status }) => status).filter((status) => status !== 401)).toEqual([]);
  });

  test('with a code, has no live account of a connection that was revoked', async () => {
    const redemptions = [];
    for (let person = 0; person < 6; person += 1) redemptions.push(await it.code(alder, 'harbour', `person${person}`));
    const [, ...redeemed] = await Promise.allSettled([revoke(), ...redemptions.map((redeem) => redeem())]);
    for (const answer of redeemed) {
      if (answer?.status !== 'fulfilled' || !('access_token' in answer.value)) continue;
      expect((await it.show('/v1/accounts/me', `Bearer ${answer.value.access_token}`)).status).toBe(401);
      expect(await account(answer.value.account_id)).toMatchObject({ health: 'broken' });
    }
    const healthy = await it.world.platform.db.tenantQuery(
      alder.applicationId,
      sql`select 1 from accounts where application_id = ${alder.applicationId} and credential_id is not null`,
    );
    expect(healthy).toEqual([]);
  });
});
