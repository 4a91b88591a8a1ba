import type { Database } from '@bulkhead/postgres';
import { createTwins, type HttpAnswer, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import type { AnyRoute } from '@bulkhead/http';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { headersOf, valid } from './credentials.ts';
import { requestOf } from './requests.ts';
import { type Row, rowsOf } from './rows.ts';

const DOORS = ['withTenant', 'tenantQuery', 'tenantQueries', 'recall', 'withOrganization', 'withControl', 'withSystem'] as const;
type Door = (typeof DOORS)[number];

/** Doors that fail, from their how many-th use within a request on; and how often one did. */
const failing = { doors: new Set<Door>(), after: 0, used: 0, failed: 0 };
const SECRET_TEXT = 'the password is hunter2';

function failable(db: Database): Database {
  const guard = (door: Door): void => {
    if (!failing.doors.has(door) || failing.used++ < failing.after) return;
    failing.failed++;
    throw new Error(SECRET_TEXT);
  };
  const guarded = Object.fromEntries(
    DOORS.map((door) => [
      door,
      async (...call: never[]) => {
        guard(door);
        return (db[door] as (...call: never[]) => Promise<unknown>)(...call);
      },
    ]),
  );
  return { ...db, ...guarded };
}

let world: World;
let twins: Twins;
beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address], database: failable });
  twins = await createTwins(world, upstream);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});
afterEach(() => {
  failing.doors.clear();
  failing.after = 0;
  vi.restoreAllMocks();
});

const ask = (route: AnyRoute, row: Row): Promise<HttpAnswer> => made(route, row)();

/** The request with its credential, which something that breaks later cannot break any more. */
function made(route: AnyRoute, row: Row): () => Promise<HttpAnswer> {
  const { victim } = twins;
  const [kind] = route.credentials;
  const [shown] = kind === undefined ? [{ headers: row.browser ? { cookie: victim.cookie } : {} }] : valid(kind, victim);
  const request = requestOf(route, row, victim.names);
  const headers = headersOf(request, shown!);
  return () => world.call(request.method, request.path, { headers, ...(request.body === undefined ? {} : { body: request.body }) });
}

/** Requests that end nothing, so that they can be asked again and again; of the aliases one of each is enough elsewhere. */
const requests = (): { route: AnyRoute; row: Row }[] =>
  world.platform.routes
    .filter(({ id, credentials }) => credentials.length > 0 && !/\.(legacy|service_keys)$/.test(id))
    .flatMap((route) => (rowsOf(route.id) ?? []).filter(({ late }) => late === undefined).map((row) => ({ route, row })));

/** What is wrong with an answer although something that it stands on has failed. */
function problems(route: AnyRoute, answer: HttpAnswer): string[] {
  const told = `${route.id}: ${answer.status} ${answer.text.slice(0, 200)}`;
  const found: string[] = [];
  if (answer.status < 400 || (answer.status < 500 && answer.status !== 401)) found.push(`not denied: ${told}`);
  if (answer.text.includes(twins.victim.canary)) found.push(`tells something: ${told}`);
  if (answer.text.includes('hunter2') || /\bat .*\.ts:\d+/.test(answer.text)) found.push(`tells what broke: ${told}`);
  return found;
}

describe('S3: what throws inside a step of authentication or isolation denies', () => {
  test('control: with nothing broken the same requests go through', { timeout: 120_000 }, async () => {
    const refused: string[] = [];
    for (const { route, row } of requests()) {
      const answer = await ask(route, row);
      if (answer.status >= 400 && answer.status !== 409) refused.push(`${route.id}: ${answer.status} ${answer.text.slice(0, 200)}`);
    }
    expect(refused).toEqual([]);
  });

  test.each<[title: string, doors: readonly Door[], after: number]>([
    ['every door to the database', DOORS, 0],
    ['every door, from the second use on', DOORS, 1],
    ['every door, from the third use on', DOORS, 2],
    // `tenantQuery` is met in authentication once a minute at most, when the use of a key is noted.
    ...DOORS.filter((door) => door !== 'tenantQuery').map((door): [string, readonly Door[], number] => [door, [door], 0]),
  ])('%s', { timeout: 120_000 }, async (title, doors, after) => {
    const wrong: string[] = [];
    let failures = 0;
    for (const { route, row } of requests()) {
      for (const door of doors) failing.doors.add(door);
      Object.assign(failing, { after, used: 0, failed: 0 });
      const answer = await ask(route, row);
      failing.doors.clear();
      failures += failing.failed;
      if (failing.failed > 0) wrong.push(...problems(route, answer));
      if (title === 'every door to the database' && failing.failed === 0)
        wrong.push(`${route.id} asked nothing of the database: ${answer.status}`);
    }
    expect(wrong).toEqual([]);
    expect(failures).toBeGreaterThan(0);
  });

  test('the clock', { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    for (const { route, row } of requests()) {
      const send = made(route, row);
      const broken = vi.spyOn(world.clock, 'now').mockImplementation(() => {
        throw new Error(SECRET_TEXT);
      });
      const answer = await send();
      broken.mockRestore();
      wrong.push(...problems(route, answer));
    }
    expect(wrong).toEqual([]);
  });

  test.each(['open', 'seal'] as const)('the vault, when asked to %s', { timeout: 120_000 }, async (method) => {
    const wrong: string[] = [];
    let failures = 0;
    for (const { route, row } of requests()) {
      const broken = vi.spyOn(world.platform.vault, method).mockRejectedValue(new Error(SECRET_TEXT));
      const answer = await ask(route, row);
      const hasFailed = broken.mock.calls.length > 0;
      broken.mockRestore();
      if (hasFailed) wrong.push(...problems(route, answer));
      if (hasFailed) failures++;
    }
    expect(wrong).toEqual([]);
    expect(failures).toBeGreaterThan(0);
  });
});
