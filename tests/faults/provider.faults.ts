import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { type Answer, FaultWorld, type Tenant } from './fault-world.ts';
import { note } from './ledger.ts';
import { type Behaviour, sendJson } from './provider.ts';
import type { ServerProcess } from './server-process.ts';

let world: FaultWorld;
let server: ServerProcess;
let tenant: Tenant;
beforeAll(async () => {
  world = await FaultWorld.create();
  server = await world.server('behind a bad provider');
  tenant = await world.tenant(server);
  await world.service(server, tenant, 'harbour');
});
afterAll(() => world[Symbol.asyncDispose]());

const expired = (family: string, options: { readonly graceMs?: number } = {}) =>
  world.expiredAccount(server, tenant, 'harbour', family, options);
const call = (id: number) => world.proxied(server, tenant, id);
const isTold = (answer: Answer) => answer.status === 503 && Number(answer.headers.get('retry-after')) > 0;

/** The first call is answered in this way, the following ones as a provider does. */
function atFirst(family: string, behaviour: Behaviour): void {
  let isFirst = true;
  world.provider.behave(family, (each) => {
    if (!isFirst) return each.answer();
    isFirst = false;
    return behaviour(each);
  });
}

const lost: Behaviour = (each) => {
  each.rotate();
  each.response.destroy();
};

describe.concurrent('V6: an answer lost after the provider has rotated', () => {
  test('costs nothing where the provider takes the token once more', async () => {
    const id = await expired('lost-lenient', { graceMs: 600_000 });
    atFirst('lost-lenient', lost);
    expect(isTold(await call(id))).toBe(true);
    await eventually(async () => (await call(id)).json?.token, 'access.lost-lenient.2');
    expect(world.provider.isRevoked('lost-lenient')).toBe(false);
  });

  test('breaks the account in the open where the provider revokes them all', async () => {
    const id = await expired('lost-strict');
    atFirst('lost-strict', lost);
    expect(isTold(await call(id))).toBe(true);
    await eventually(async () => (await call(id)).json?.code, 'passthrough.account_broken');
    const shown = await world.call(server, 'GET', `/v1/accounts/${id}`, tenant.apiKey);
    expect(shown.json).toMatchObject({ health: 'broken', broken_reason: 'invalid_grant' });
    expect(await world.cluster.query(`select 1 from audit_entries where action = 'account.broken' and target = '${id}'`)).toHaveLength(1);
    expect((await world.call(server, 'POST', `/v1/accounts/${id}/reconnect`, tenant.apiKey, {})).json?.url).toContain('http');
    note({
      clause: 'V6',
      what: 'answer lost after rotation',
      value: 'survives with a grace at the provider; else broken, audit entry, reconnect link',
      reach: 'no silent loss',
    });
  });
});

describe.concurrent('V6: a token endpoint that', () => {
  test.each<[string, string, Behaviour]>([
    ['answers a page', 'page', ({ response }) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>')],
    ['answers junk', 'junk', ({ response }) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_to')],
    ['fails', 'fails', ({ response }) => sendJson(response, 500, { error: 'server_error' })],
    ['answers five megabytes', 'huge', ({ response }) => void response.writeHead(200).end('x'.repeat(5_000_000))],
    [
      'drips a byte a second',
      'drips',
      async ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        for (const character of '{"access_token":"never whole"') {
          if (response.destroyed) return;
          response.write(character);
          await delay(1_000);
        }
        response.end('}');
      },
    ],
    ['never answers', 'hangs', () => undefined],
  ])('%s loses no account: callers are told when to come back', async (_what, family, behaviour) => {
    const id = await expired(family);
    atFirst(family, behaviour);
    const answer = await call(id);
    expect(isTold(answer), answer.text).toBe(true);
    await eventually(async () => (await call(id)).json?.token, `access.${family}.2`);
    expect(world.provider.calls(family)).toEqual([`refresh.${family}.1`, `refresh.${family}.1`]);
    note({
      clause: 'V6',
      what: `token endpoint ${_what}`,
      value: `503 + Retry-After after ${Math.round(answer.ms)} ms, then good`,
      reach: 'within its 15 s, no loss',
    });
  });
});

describe('V6: a slow provider beside a healthy one', () => {
  // More credentials than the pool has connections: were one held across the call, nobody else would get any.
  const many = Array.from({ length: 25 }, (_, at) => `slow-${at}`);

  test('starves nobody: no connection and no lock is held while it hangs', async () => {
    const healthy = await world.account(server, tenant, 'harbour', 'healthy');
    const ids: number[] = [];
    for (const family of many) ids.push(await expired(family));
    const held = Promise.withResolvers<void>();
    for (const family of many)
      atFirst(family, async (each) => {
        await held.promise;
        each.answer();
      });
    const waiting = ids.flatMap((id) => [call(id), call(id)]);
    await eventually(() => many.every((family) => world.provider.calls(family).length === 1), true);

    const times: number[] = [];
    for (let at = 0; at < 9; at++) {
      const answer = await call(healthy);
      expect(answer.status, answer.text).toBe(200);
      times.push(answer.ms);
      // A transaction of this very call may be between two statements; what is held stays held until the provider answers.
      await eventually(() => world.cluster.idleInTransaction(), 0, 5_000);
    }
    const other = await expired('other');
    expect((await call(other)).json?.token).toBe('access.other.2');
    const locks = () =>
      world.cluster.query(
        `select count(*)::int as n from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'credentials' and l.mode like '%Exclusive%'`,
      );
    await eventually(locks, [{ n: 0 }], 5_000);
    held.resolve();
    const answers = await Promise.all(waiting);
    expect(answers.map(({ status, text }) => (status === 200 ? 200 : text))).toEqual(Array.from({ length: 50 }, () => 200));
    for (const family of many) expect(world.provider.calls(family)).toHaveLength(1);
    note({
      clause: 'V6',
      what: '25 credentials (50 callers) hang at a provider, pool of 10',
      value: `0 idle in transaction, 0 locks; neighbour p50 ${Math.round(times.sort((a, b) => a - b)[4]!)} ms; 25 calls in all`,
      reach: 'nothing held, nobody starved',
    });
  });

  test('a database that goes away between answer and commit loses no tokens: they are kept when it is back', async () => {
    const id = await expired('kept');
    const { asked, release } = world.provider.holdFirst('kept');
    const first = call(id);
    await asked;
    await world.cluster.proxy.refuse();
    world.cluster.proxy.reset();
    release();
    expect(isTold(await first)).toBe(true);
    // Longer than any handful of quick attempts.
    await delay(15_000);
    await world.cluster.proxy.accept();
    await eventually(async () => (await call(id)).json?.token, 'access.kept.2');
    expect(world.provider.calls('kept')).toEqual(['refresh.kept.1']);
    note({
      clause: 'V6',
      what: 'database away for 15 s between answer and commit',
      value: '1 upstream call, tokens kept',
      reach: 'kept by retry',
    });
  });
});
