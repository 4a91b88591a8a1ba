import { crc32 } from 'node:zlib';
import { type ApplicationId, defineTenantCredential } from '@bulkhead/base';
import type { AnyRoute } from '@bulkhead/http';
import {
  approveFunctions,
  connectAccount,
  type FakeApp,
  FakeRunner,
  type FakeUpstream,
  type HttpAnswer,
  type Names,
  startFakeApp,
  startFakeUpstream,
  World,
} from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { requestOf } from './requests.ts';
import { rowsOfTenant } from './rows-of-tenant.ts';
import { rowsOf } from './rows.ts';

// F1, F3: the token of a running call works for that call and nothing else. Routes are walked from the registry, with the requests of the
// matrix's rows: a service that functions get from now on is walked by itself.
const runner = new FakeRunner();
const apps: FakeApp[] = [];
let world: World;
let here: string;
let elsewhere: string;
let upstream: FakeUpstream;
/** What the rows name of a tenant. */
let names: Names;
let internal: AnyRoute[];

const CODE = 'canary-of-the-code';
const KEPT = ['canary-of-the-storage', 'canary-of-the-variable'] as const;

beforeAll(async () => {
  for (const key of ['notes', 'other']) apps.push(await startFakeApp({ key, scopes: ['READ'] }));
  upstream = await startFakeUpstream();
  world = await World.create({ runner, egressAllow: [upstream.address, ...apps.map(({ address }) => address)] });
  for (const { descriptor } of apps) await world.meta('POST', '/apps', { descriptor });
  const made = await world.application();
  here = made.id;
  names = { account: await connected(made) } as Names;
  elsewhere = (await world.application()).id;
  for (const [app, environment] of [
    ['notes', 'production'],
    ['notes', 'staging'],
    ['other', 'production'],
  ] as const)
    await deploy(app, environment);
  for (const id of [here, elsewhere]) await install(id, 'notes');
  await install(here, 'other');
  await approveFunctions(world, here, 'notes', 'staging');
  const variable = `/applications/${here}/installs/notes/environments/production/variables/OF_THE_INSTALL`;
  expect((await world.meta('PUT', variable, { value: KEPT[1], secret: false })).status).toBe(200);
  const owner = await running(here, 'notes');
  expect((await storage(owner, { op: 'set', key: 'kept', value: KEPT[0] })).status).toBe(200);
  internal = world.platform.routes.filter(({ credentials }) => credentials.includes('invocation'));
}, 60_000);
// A call that goes on holds one of the places that an organization has.
afterEach(() => runner.release());
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  for (const app of apps) await app[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

async function deploy(app: string, environment: string): Promise<void> {
  const functions = ['echo', 'held'].map((key) => ({ key, handler: `index.${key}` }));
  const webtriggers = [{ key: 'signed', function: 'echo', authentication: { type: 'bearer' } }];
  const permissions = { scopes: ['accounts:read', 'accounts:use', 'events:read'] };
  const manifest = {
    app,
    functions,
    variables: [{ name: 'OF_THE_INSTALL', default: 'none' }],
    webtriggers,
    permissions,
    queues: [{ key: 'work', function: 'echo' }],
  };
  const code = app === 'notes' && environment === 'production' ? `// ${CODE}` : '// of another';
  const answer = await world.meta('POST', `/apps/${app}/deployments`, { environment, manifest, code });
  expect(answer.status, answer.text).toBe(201);
}

async function install(id: string, app: string): Promise<void> {
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: app, scopes: ['READ'] })).status).toBeOneOf([200, 201]);
}

/** An account of the Application, at a service that answers. */
async function connected({ id, apiKey }: { id: string; apiKey: string }): Promise<string> {
  const redirectUrl = 'https://company.example/callback';
  await world.meta('POST', `/applications/${id}/redirect_uris`, { url: redirectUrl });
  await world.meta('POST', `/applications/${id}/services`, upstream.keyService('notesservice', 'Notes'));
  const tenant = { applicationId: id as ApplicationId, apiKey, redirectUrl, canary: 'here' };
  const key = `key:here:${'x'.repeat(20)}`;
  return String((await connectAccount(world, upstream, tenant, { service: 'notesservice', apiKey: key })).account_id);
}

/** The token of a call that goes on, or of one that has ended. */
async function called(id: string, app: string, name: 'held' | 'echo', environment = 'production'): Promise<string> {
  const before = runner.calls.length;
  const answered = world.meta('POST', `/applications/${id}/installs/${app}/invoke`, { function: name, environment });
  if (name === 'echo') expect((await answered).status).toBe(200);
  else void answered.catch(() => undefined);
  await vi.waitUntil(() => runner.calls.length === before + 1);
  return runner.calls[before]!.token;
}
const running = (id: string, app: string, environment?: string) => called(id, app, 'held', environment);

const storage = (token: string, body: Record<string, unknown>) =>
  world.call('POST', '/internal/functions/storage', { headers: { authorization: `Bearer ${token}` }, body });

/** What the routes of the runner answer, as the matrix calls them. */
async function walk(routes: readonly AnyRoute[], token: string | null): Promise<{ id: string; own: number; answer: HttpAnswer }[]> {
  const walked = [];
  for (const route of routes)
    for (const row of rowsOf(route.id) ?? []) {
      const { method, path, headers, body } = requestOf(route, row, names);
      const answer = await world.call(method, path, {
        headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
        ...(body === undefined ? {} : { body }),
      });
      walked.push({ id: route.id, own: row.own, answer });
    }
  return walked;
}

const tokens = defineTenantCredential('bhi');
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function base62(value: number): string {
  let text = '';
  for (let rest = value, digit = 0; digit < 6; digit++, rest = Math.floor(rest / 62)) text = DIGITS[rest % 62]! + text;
  return text;
}

const withoutId = ({ status, text }: HttpAnswer) => [status, text.replaceAll(/"id":"[\w-]+"/g, '{id}')];

describe('the token of a running call', () => {
  test('is taken by the routes of the runner and by no other of the registry', async () => {
    expect(internal.length).toBeGreaterThan(3);
    for (const { id, path, credentials } of internal)
      expect([id, path.startsWith('/internal/functions/'), credentials]).toEqual([id, true, ['invocation']]);
    expect(world.platform.routes.filter(({ path }) => path.startsWith('/internal/')).map(({ id }) => id)).toEqual(
      internal.map(({ id }) => id),
    );
    const token = await running(here, 'notes');
    for (const { id, own, answer } of await walk(internal, token)) expect([id, answer.status, answer.text]).toEqual([id, own, answer.text]);
    // All the others that ask for a credential, called without anything in their places: the credential is judged first.
    for (const route of world.platform.routes) {
      if (route.credentials.length === 0 || internal.includes(route)) continue;
      const path = route.path.replaceAll(/\{(\w+?)(\.\.\.)?\}/g, (_, name: string) => (name === 'application_id' ? here : 'x'));
      const method = route.method === 'ANY' ? 'GET' : route.method;
      const body = method === 'GET' || method === 'DELETE' ? {} : { body: {} };
      for (const scheme of ['Bearer', 'APIKey', 'JWT', 'DeveloperKey']) {
        const { status, text } = await world.call(method, path, { headers: { authorization: `${scheme} ${token}` }, ...body });
        expect([400, 401], `${route.id} by ${scheme}: ${text}`).toContain(status);
      }
    }
  }, 120_000);

  test('opens what is of its own install and environment, and changes nothing of another', async () => {
    const others = {
      'another Application': await running(elsewhere, 'notes'),
      'another environment': await running(here, 'notes', 'staging'),
      'another App': await running(here, 'other'),
    };
    const { clientKey } = runner.calls.find(({ applicationId }) => applicationId === here)!;
    const ownRows = async () =>
      Object.values(await rowsOfTenant(world.platform.db, here))
        .flat()
        .filter((row) => row.includes(`"${clientKey}"`) && row.includes('"production"'));
    const before = await ownRows();
    expect(before.length).toBeGreaterThan(2);
    for (const [whose, token] of Object.entries(others)) {
      const said = (await walk(internal, token)).map(({ answer }) => answer.text).join('\n');
      for (const canary of KEPT) expect(said, whose).not.toContain(canary);
      if (whose !== 'another Application') expect(said, whose).not.toContain(CODE);
      expect((await storage(token, { op: 'get', key: 'kept' })).json, whose).toEqual({ found: false });
      await storage(token, { op: 'delete', key: 'kept' });
    }
    expect(await ownRows()).toEqual(before);
    // Control: its own token opens all of it.
    const own = await running(here, 'notes');
    const said = (await walk(internal, own)).map(({ answer }) => answer.text).join('\n');
    expect(said).toContain(CODE);
    expect(said).toContain(KEPT[1]);
    expect((await storage(own, { op: 'get', key: 'kept' })).json).toMatchObject({ found: true, value: KEPT[0] });
  });

  const dead: Record<string, () => Promise<string>> = {
    'whose call has ended': () => called(here, 'notes', 'echo'),
    'that is over, though its call has never ended': async () => {
      const token = await running(here, 'notes');
      world.clock.advance(10 * 60_000);
      return token;
    },
    'of an install that is disabled': async () => {
      const { id } = await world.application();
      await install(id, 'notes');
      const token = await running(id, 'notes');
      await world.meta('POST', `/applications/${id}/installs/notes/disable`);
      return token;
    },
    'of an install that is no more': async () => {
      const { id } = await world.application();
      await install(id, 'notes');
      const token = await running(id, 'notes');
      expect((await world.meta('DELETE', `/applications/${id}/installs/notes`)).status).toBeLessThan(300);
      return token;
    },
    'of an install that was removed and made again': async () => {
      const { id } = await world.application();
      await install(id, 'notes');
      const token = await running(id, 'notes');
      expect((await world.meta('DELETE', `/applications/${id}/installs/notes`)).status).toBeLessThan(300);
      await install(id, 'notes');
      return token;
    },
    'of an Application that is off': async () => {
      const { id } = await world.application();
      await install(id, 'notes');
      const token = await running(id, 'notes');
      expect((await world.meta('PATCH', `/applications/${id}`, { active: false })).status).toBe(200);
      return token;
    },
    'of an Application that is no more': async () => {
      const { id } = await world.application();
      await install(id, 'notes');
      const token = await running(id, 'notes');
      expect((await world.meta('DELETE', `/applications/${id}`)).status).toBe(204);
      return token;
    },
    'with the name of another Application': async () => {
      const [mine, theirs] = [await running(here, 'notes'), await running(elsewhere, 'notes')];
      // bhi_, an Application, 43 characters and 6 that sum up all before: whole, but for the one it does not belong to.
      const body = theirs.slice(0, -49) + mine.slice(-49, -6);
      const crossed = body + base62(crc32(body));
      expect(tokens.parse(crossed)).toMatchObject({ applicationId: elsewhere });
      return crossed;
    },
  };

  test.each(Object.entries(dead))('%s opens nothing, and is answered as one that never was', async (_, make) => {
    const token = await make();
    const never = tokens.issue(here as ApplicationId).secret.reveal();
    const [refused, unknown] = [await walk(internal, token), await walk(internal, never)];
    expect(refused.map(({ id, answer }) => [id, answer.status])).toEqual(refused.map(({ id }) => [id, 401]));
    expect(refused.map(({ answer }) => withoutId(answer))).toEqual(unknown.map(({ answer }) => withoutId(answer)));
    // Control: the same requests, at the same moment, by one that lives.
    for (const { id, own, answer } of await walk(internal, await running(here, 'notes'))) expect([id, answer.status]).toEqual([id, own]);
  });
});
