import type { ApplicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { approveFunctions, FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listEnvironmentInstalls } from './environment-install-store.ts';
import { tablesOfEnvironments } from './environment-store.ts';
import { resealVariables } from './variable-store.ts';

let world: World;
let app: FakeApp;
const runner = new FakeRunner();
let organizationId: string;
let key = '';
let apps = 0;

beforeAll(async () => {
  app = await startFakeApp({ key: 'any' });
  world = await World.create({ runner, egressAllow: [app.address] });
  const rows = await world.platform.db.withControl('find an organization in a test', (tx) =>
    tx.query<{ organization_id: string }>(sql`select organization_id from organizations`),
  );
  organizationId = rows[0]!.organization_id;
});
beforeEach(async () => {
  key = `app-${++apps}`;
  await world.meta('POST', '/apps', { descriptor: { ...app.descriptor, key, authentication: { type: 'none' }, lifecycle: {} } });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function deploy(hosts: readonly string[] = [], environment = 'production', more: Record<string, unknown> = {}) {
  const manifest = {
    app: key,
    functions: [{ key: 'echo', handler: 'index.echo' }],
    permissions: { external: { fetch: { backend: hosts } } },
    ...more,
  };
  const answer = await world.meta('POST', `/apps/${key}/deployments`, {
    environment,
    manifest,
    code: `export const at = ${Math.random()};`,
  });
  expect(answer.status, answer.text).toBe(201);
  return answer.json;
}
async function install(): Promise<ApplicationId> {
  const { id } = await world.application();
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: key })).status).toBe(201);
  return id as ApplicationId;
}
const of = (id: string, environment = 'production') => `/applications/${id}/installs/${key}/environments/${environment}`;
const approve = (id: string, permissions: readonly string[], environment?: string) =>
  world.meta('PUT', of(id, environment), { permissions });
async function running(id: string, environment = 'production'): Promise<unknown> {
  const { status, json } = await world.meta('POST', `/applications/${id}/installs/${key}/invoke`, { function: 'echo', environment });
  return status === 200 ? json.version : json.code;
}
const versions = async () =>
  (await world.meta('GET', `/apps/${key}/deployments?page_size=100`)).json.objects.map(({ version }: { version: number }) => version);

describe('consent', () => {
  test.each([
    ['less than is requested', ['fetch:a.example']],
    ['more', ['fetch:a.example', 'fetch:b.example', 'fetch:c.example']],
    ['something else', ['fetch:a.example', 'fetch:c.example']],
    ['nothing', []],
    ['one of them twice', ['fetch:a.example', 'fetch:a.example']],
  ])('to %s approves nothing', async (_, permissions) => {
    const id = await install();
    await deploy(['b.example', 'a.example']);
    const answer = await approve(id, permissions);
    expect([answer.status, answer.json.code, answer.json.message]).toEqual([
      409,
      'function.permissions_differ',
      expect.stringContaining('fetch:a.example, fetch:b.example'),
    ]);
    expect(await running(id)).toBe('function.not_approved');
    // Control: exactly what is requested, in whatever order.
    expect((await approve(id, ['fetch:b.example', 'fetch:a.example'])).json).toMatchObject({ running: 1, waiting: [] });
    expect(await running(id)).toBe(1);
  });

  test('to what was shown does not count for what was deployed meanwhile', async () => {
    const id = await install();
    await deploy(['a.example']);
    const { requested } = (await world.meta('GET', of(id))).json;
    await deploy(['a.example', 'b.example']);
    expect((await approve(id, requested)).status).toBe(409);
    expect(await running(id)).toBe('function.not_approved');
  });

  test('is of one install: another one goes on with the version before, and is in the list of those that wait', async () => {
    const [one, two, three] = [await install(), await install(), await install()];
    await deploy();
    expect(await deploy(['a.example'])).toMatchObject({ new_permissions: ['fetch:a.example'], installs: 3, installs_waiting: 3 });
    await approve(one, ['fetch:a.example']);
    expect([await running(one), await running(two)]).toEqual([2, 1]);
    const list = (await world.meta('GET', `/apps/${key}/environments/production/waiting?page_size=1`)).json;
    expect(list).toMatchObject({ total: 2, next_page: 2, requested: ['fetch:a.example'], version: 2 });
    expect([two, three]).toContain(list.objects[0].application_id);
    expect(list.objects[0].waiting).toEqual(['fetch:a.example']);
  });

  test('is given by an install to what production requests then, and ends with it', async () => {
    await deploy(['a.example']);
    await deploy(['s.example'], 'staging');
    const id = await install();
    expect(await running(id)).toBe(1);
    expect((await world.meta('GET', of(id))).json.approved).toEqual(['fetch:a.example']);
    await approve(id, ['fetch:s.example'], 'staging');
    await world.meta('DELETE', `/applications/${id}/installs/${key}`);
    await deploy(['b.example']);
    await world.meta('POST', `/applications/${id}/installs`, { app_key: key });
    expect((await world.meta('GET', of(id))).json).toMatchObject({ approved: ['fetch:b.example'], running: 2 });
    expect(await running(id, 'staging')).toBe('function.not_joined');
  });
});

describe('versions', () => {
  test('of deployments at the same moment are counted without a gap, and each is there', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => deploy()));
    expect(made.map(({ version }) => version).toSorted()).toEqual([1, 2, 3, 4, 5]);
    expect(await versions()).toHaveLength(5);
  });

  test('are kept, ten of them; and those that somebody runs, however old', async () => {
    const id = await install();
    await deploy();
    await deploy();
    for (let turn = 0; turn < 12; turn++) await deploy(['a.example']);
    expect(await running(id)).toBe(2);
    expect(await versions()).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 2]);
    await approve(id, ['fetch:a.example']);
    await deploy(['a.example']);
    expect(await versions()).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
  });

  test('that were rolled back run for nobody until they are named; an install that never approved the target runs an older one', async () => {
    const id = await install();
    await deploy();
    await deploy(['a.example']);
    await deploy();
    const rollBack = (body: Record<string, unknown>) =>
      world.meta('POST', `/apps/${key}/deployments/rollback`, { environment: 'production', ...body });
    expect(await running(id)).toBe(3);
    expect((await rollBack({})).json).toMatchObject({ version: 2, new_permissions: ['fetch:a.example'], installs_waiting: 1 });
    expect(await running(id)).toBe(1);
    expect((await rollBack({})).json.version).toBe(1);
    expect((await rollBack({})).json.code).toBe('function.no_version');
    await rollBack({ version: 3 });
    expect(await running(id)).toBe(3);
  });

  test('are not made where the runner cannot start the code: nothing is kept', async () => {
    runner.refusal = (async () => 'it rains') as never;
    const manifest = { app: key, functions: [{ key: 'echo', handler: 'index.echo' }] };
    const answer = await world.meta('POST', `/apps/${key}/deployments`, { environment: 'production', manifest, code: 'export {}' });
    runner.refusal = async () => null;
    expect([answer.status, answer.json.code]).toEqual([503, 'function.no_runner']);
    expect(await versions()).toEqual([]);
  });
});

describe('an environment', () => {
  test('is reached in the background by the installs that are in it and enabled, and by no other', async () => {
    const [one, two, off] = [await install(), await install(), await install()];
    await deploy([], 'staging');
    for (const id of [two, off]) await approveFunctions(world, id, key, 'staging');
    await world.meta('POST', `/applications/${off}/installs/${key}/disable`);
    const reached = async (environment: string, organization = organizationId) =>
      (
        await world.platform.db.withSystem('list installs in a test', (tx) =>
          listEnvironmentInstalls(tx, { organizationId: organization, appKey: key, environment, after: '', limit: 100 }),
        )
      ).map(({ applicationId }) => applicationId);
    expect(await reached('production')).toEqual([one, two].toSorted());
    expect(await reached('staging')).toEqual([two]);
    expect(await reached('development')).toEqual([]);
    expect(await reached('production', 'org-of-nobody')).toEqual([]);
  });

  test('is joined only where it is there, and production is not left', async () => {
    const id = await install();
    expect((await approve(id, [], 'nowhere')).status).toBe(404);
    expect((await world.meta('DELETE', of(id))).json.code).toBe('function.production_stays');
    expect((await world.meta('DELETE', `/apps/${key}/environments/production`)).json.code).toBe('function.production_stays');
  });

  test('is removed with all that installs have in it, in whatever table, and nothing of another environment or App', async () => {
    const id = await install();
    const others = key;
    for (const environment of ['production', 'staging']) {
      await deploy([], environment);
      await approveFunctions(world, id, key, environment);
      await world.meta('PUT', `${of(id, environment)}/variables/NAME`, { value: 'x' });
      await world.meta('PUT', `/apps/${key}/environments/${environment}/variables/NAME`, { value: 'x' });
      expect(await running(id, environment)).toBe(1);
    }
    key = `app-${++apps}`;
    await world.meta('POST', '/apps', { descriptor: { ...app.descriptor, key, authentication: { type: 'none' }, lifecycle: {} } });
    const other = await install();
    await deploy([], 'staging');
    await approveFunctions(world, other, key, 'staging');
    const held = async (applicationId: string, environment: string) => {
      const counts: Record<string, number> = {};
      await world.platform.db.withSystem('count rows in a test', async (tx) => {
        for (const { name: table } of await tablesOfEnvironments(tx)) {
          const { count } = await tx.one<{ count: number }>(
            sql`select count(*) as count from ${sql.identifier(table)} where application_id = ${applicationId} and environment = ${environment}`,
          );
          counts[table] = Number(count);
        }
      });
      return counts;
    };
    const before = { production: await held(id, 'production'), other: await held(other, 'staging') };
    expect(before.production).toMatchObject({ function_installs: 1, function_install_variables: 1, function_invocations: 1 });
    expect((await held(id, 'staging'))['function_install_variables']).toBe(1);
    expect((await world.meta('DELETE', `/apps/${others}/environments/staging`)).status).toBe(204);
    expect(Object.values(await held(id, 'staging')).every((count) => count === 0)).toBe(true);
    expect({ production: await held(id, 'production'), other: await held(other, 'staging') }).toEqual(before);
    const listed = (await world.meta('GET', `/apps/${others}/environments`)).json.objects;
    expect(listed).toMatchObject([{ environment: 'production', newest: 1, versions: 1, variables: 1, installs: 1, installs_waiting: 0 }]);
  });

  test('is one of twenty at most', async () => {
    for (let turn = 0; turn < 20; turn++)
      expect((await world.meta('PUT', `/apps/${key}/environments/env-${turn}/variables/NAME`, { value: 'x' })).status).toBe(200);
    const more = await world.meta('PUT', `/apps/${key}/environments/one-more/variables/NAME`, { value: 'x' });
    expect([more.status, more.json.code]).toEqual([409, 'function.environments_full']);
    expect((await world.meta('PUT', `/apps/${key}/environments/env-0/variables/NAME`, { value: 'y' })).status).toBe(200);
  });
});

describe('a variable', () => {
  const set = (name: string, body: unknown, where = `/apps/${key}/environments/production`) =>
    world.meta('PUT', `${where}/variables/${name}`, body);

  test.each([
    ['a name in lower case', 'name', { value: 'x' }, 404],
    ['a name that is none', 'A-B', { value: 'x' }, 404],
    ['more than 4,096 bytes', 'NAME', { value: 'ä'.repeat(2_049) }, 400],
    ['NUL in it', 'NAME', { value: 'a\u0000b' }, 400],
    ['no value', 'NAME', {}, 400],
    ['an unknown field', 'NAME', { value: 'x', plain: true }, 400],
    ['nothing wrong', 'NAME', { value: 'x' }, 200],
  ])('with %s is answered so', async (_, name, body, status) => {
    expect((await set(name, body)).status).toBe(status);
  });

  test('is one of fifty at most, in an environment and for an install in it', async () => {
    const id = await install();
    for (const where of [`/apps/${key}/environments/production`, of(id)]) {
      for (let turn = 0; turn < 50; turn++) expect((await set(`NAME_${turn}`, { value: 'x' }, where)).status).toBe(200);
      expect((await set('ONE_MORE', { value: 'x' }, where)).json.code).toBe('function.variables_full');
      expect((await set('NAME_7', { value: 'y' }, where)).status).toBe(200);
    }
  });

  test('that the manifest declares to be a secret is not shown, whatever it was set as', async () => {
    await set('HIDDEN', { value: 'of-the-vendor', secret: false });
    await set('SHOWN', { value: 'of-all', secret: false });
    await deploy([], 'production', { variables: [{ name: 'HIDDEN', secret: true }, { name: 'SHOWN' }] });
    const { text, json } = await world.meta('GET', `/apps/${key}/environments/production/variables`);
    expect(json.objects).toMatchObject([
      { name: 'HIDDEN', secret: true, value: null },
      { name: 'SHOWN', secret: false, value: 'of-all' },
    ]);
    expect(text).not.toContain('of-the-vendor');
  });

  test('changes which instance the next call is given to, of this environment alone', async () => {
    const [one, two] = [await install(), await install()];
    await deploy();
    const revisions = async () => {
      runner.calls.length = 0;
      for (const id of [one, two]) await running(id);
      return runner.calls.map(({ revision }) => revision);
    };
    const first = await revisions();
    expect(await revisions()).toEqual(first);
    await set('NAME', { value: 'x' });
    const second = await revisions();
    expect(second.map((revision, at) => revision === first[at])).toEqual([false, false]);
    await set('NAME', { value: 'y' }, of(one));
    const third = await revisions();
    expect(third.map((revision, at) => revision === second[at])).toEqual([false, true]);
    await set('NAME', { value: 'z' }, `/apps/${key}/environments/staging`);
    expect(await revisions()).toEqual(third);
  });

  test('is given to the running call whose manifest declares it, and no other', async () => {
    const [one, two] = [await install(), await install()];
    const manifest = {
      functions: [{ key: 'held', handler: 'index.held' }],
      variables: [
        { name: 'KEY', secret: true },
        { name: 'REGION', default: 'eu' },
      ],
    };
    await deploy([], 'production', manifest);
    await set('KEY', { value: 'of-all' });
    await set('OTHER', { value: 'not declared' });
    await set('KEY', { value: 'of-one' }, of(one));
    for (const [id, value] of [
      [one, 'of-one'],
      [two, 'of-all'],
    ]) {
      runner.calls.length = 0;
      void world.meta('POST', `/applications/${id}/installs/${key}/invoke`, { function: 'held' });
      await expect.poll(() => runner.calls.length).toBe(1);
      const headers = { authorization: `Bearer ${runner.calls[0]!.token}` };
      const given = await world.call('GET', '/internal/functions/variables', { headers });
      expect(given.json).toEqual({ variables: { KEY: value, REGION: 'eu' }, secrets: ['KEY'] });
      runner.release();
    }
  });

  test('is sealed under the root key, anew by each rotation of it, and in no table, log or answer in clear', async () => {
    const secret = `s3cret-${key}`;
    const id = await install();
    const answers = [await set('KEY', { value: secret }), await set('KEY', { value: secret }, of(id))];
    answers.push(await world.meta('GET', `/apps/${key}/environments/production/variables`), await world.meta('GET', `${of(id)}/variables`));
    for (const { text } of answers) expect(text).not.toContain(secret);
    const { db, vault } = world.platform;
    const stored = await db.withSystem('read what is stored in a test', (tx) =>
      tx.query<{ row: string }>(sql`
        select function_variables::text as row from function_variables union all select function_install_variables::text from function_install_variables
        union all select audit_entries::text from audit_entries union all select organization_audit_entries::text from organization_audit_entries`),
    );
    const hex = Buffer.from(secret).toString('hex');
    expect(stored.filter(({ row }) => row.includes(secret) || row.includes(hex))).toEqual([]);
    expect(stored.some(({ row }) => row.includes('KEY'))).toBe(true);
    const current = (await vault.keys.rootKeyIds())[0]!;
    expect(await db.withSystem('reseal in a test', (tx) => resealVariables(tx, vault, current, 100))).toBe(0);
    expect(await db.withSystem('reseal in a test', (tx) => resealVariables(tx, vault, '0123456789abcdef', 1_000))).toBeGreaterThan(0);
  });
});
