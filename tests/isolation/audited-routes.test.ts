import { type AuditLogId, verifyAuditLog } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { createTwins, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headersOf, valid, worthless } from './credentials.ts';
import { requestOf } from './requests.ts';
import { rowsOf } from './rows.ts';

let world: World;
let twins: Twins;
beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address] });
  twins = await createTwins(world, upstream);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});

/** Routes that take a body or any method and yet change nothing of ours, each with its reason. */
const CHANGES_NOTHING: Readonly<Record<string, string>> = {
  'token.introspect': 'asks about a token (RFC 7662); POST so that the token stays out of URLs',
  'app_host.unlisted': 'refuses everything: what is not listed is closed to Apps',
  'function_runner.storage': 'is a part of a call of a function, which is recorded; so is the use of its token',
  'function_runner.fetch': 'the same',
  'function_runner.proxy': 'the same, and changes at the upstream, not here',
  'function_runner.queue': 'the same',
  'inbound.receive': 'takes no credential of ours; what a service has signed is in the event log, what it has not is nowhere',
  'webtrigger.call': 'is a call of a function, which is recorded; its caller has no credential of ours',
  'webtrigger.call_below': 'the same',
  'page.token': 'asks for a token that is kept nowhere; that the page may be opened at all is audited with its link',
  'page.frame': 'the same, for a dialog of the page',
  'passthrough.raw': 'changes at the upstream, not here; the use of the credential is recorded',
  'passthrough.proxy': 'the same',
  'passthrough.proxy_root': 'the same',
  'app_passthrough.proxy': 'the same',
  'authorization.choose': 'moves a flow of one browser on; what comes of it is audited when the account is connected',
  'authorization.submitCredential': 'the same',
};

interface Entry {
  readonly action: string;
  readonly target: string | null;
  readonly request_id: string | null;
  readonly actor: { readonly kind: string };
  readonly detail: Readonly<Record<string, unknown>>;
}

async function entries(where: ReturnType<typeof sql>): Promise<Entry[]> {
  return world.platform.db.withSystem('read the logs in a test', (tx) =>
    tx.query<Entry>(sql`
      select action, target, request_id, actor, detail from audit_entries where ${where}
      union all select action, target, request_id, actor, detail from organization_audit_entries where ${where}`),
  );
}

describe('S4: every change and every use is recorded', () => {
  test('a route that may change something declares what the log will say, or why not', () => {
    const silent = world.platform.routes
      .filter(({ method, audit }) => method !== 'GET' && audit === null)
      .map(({ id }) => id.replace(/\.(legacy|service_keys)$/, ''));
    expect([...new Set(silent)].toSorted()).toEqual(Object.keys(CHANGES_NOTHING).toSorted());
  });

  test('each request of a route that declares an action left the entry, and each credential its use', { timeout: 240_000 }, async () => {
    const { victim } = twins;
    const calls = world.platform.routes
      .flatMap((route) => (rowsOf(route.id) ?? []).map((row) => ({ route, row })))
      .filter(({ route, row }) => row.late === undefined || !/\.(legacy|service_keys)$/.test(route.id))
      .sort((left, right) => (left.row.late ?? 0) - (right.row.late ?? 0));
    const unaudited: string[] = [];
    const used = new Set<string>();
    for (const { route, row } of calls) {
      // The last call ends the Application, and its log with it.
      const [kind] = route.credentials;
      const [shown] = kind === undefined ? [{ headers: row.browser ? { cookie: victim.cookie } : {} }] : valid(kind, victim);
      const request = requestOf(route, row, victim.names);
      const answer = await world.call(request.method, request.path, {
        headers: headersOf(request, shown!),
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      if (kind !== undefined) used.add(route.id);
      if (route.audit === null || answer.status >= 400) continue;
      const written = await entries(sql`request_id = ${answer.headers.get('x-request-id')}`);
      if (!written.some(({ action }) => action === route.audit)) unaudited.push(`${route.id}: no entry "${route.audit}"`);
    }
    expect(unaudited).toEqual([]);
    await world.platform.uses.flush();
    const recorded = new Set((await entries(sql`action = 'credential.used'`)).map(({ target }) => target));
    expect([...used].filter((id) => !recorded.has(id))).toEqual([]);
    expect(used.size).toBeGreaterThan(50);
    // All of it under the same protection.
    const log: AuditLogId = { kind: 'organization', id: victim.organizationId };
    expect(await verifyAuditLog(world.platform.db, log)).toMatchObject({ finding: null });
  });

  test('a worthless credential that names its tenant is recorded there, by every authenticated route', { timeout: 120_000 }, async () => {
    const { sibling } = twins;
    const routes = world.platform.routes.filter(({ credentials }) => credentials.length > 0);
    for (const route of routes) {
      const row = rowsOf(route.id)![0]!;
      const request = requestOf(route, row, sibling.names);
      const shown = worthless(route, sibling).find(({ title }) => title === 'a revoked API key')!;
      await world.call(request.method, request.path, {
        headers: headersOf(request, shown),
        ...(request.body === undefined ? {} : { body: request.body }),
      });
    }
    await world.platform.uses.flush();
    const refused = await entries(sql`action = 'credential.refused' and request_id is null and detail ->> 'address' <> '*'`);
    const together = await entries(sql`action = 'credential.refused' and detail ->> 'address' = '*'`);
    const counted = [...refused, ...together].reduce((sum, { detail }) => sum + Number(detail['count']), 0);
    expect(counted).toBeGreaterThanOrEqual(routes.length);
    // At most fifty are told apart within a minute: whoever sends noise fills no log.
    expect(refused.length).toBeLessThanOrEqual(50);
    expect(together).toHaveLength(1);
    // Which credential it was is not believed.
    expect(refused.filter(({ actor }) => 'id' in actor)).toEqual([]);
  });
});
