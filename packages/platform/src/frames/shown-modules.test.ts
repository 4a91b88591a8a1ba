import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

let app: FakeApp;
let world: World;
let id: string;
let apiKey: string;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  world = await World.create({ egressAllow: [app.address] });
  ({ id, apiKey } = await world.application());
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
afterEach(() => {
  app.answer = () => ({ status: 204 });
});

const page = (key: string, fields: object = {}) => ({ key, url: `/${key}`, name: { value: `Page ${key}` }, ...fields });
async function install(modules: object): Promise<void> {
  await world.meta('POST', '/apps', { descriptor: { ...app.descriptor, modules } });
  const made = await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes', scopes: ['READ'] });
  expect([200, 201], made.text).toContain(made.status);
  await world.platform.runDueDeliveries();
}
const api = (method: string, path: string, body?: unknown) =>
  world.call(method, path, { headers: { authorization: `APIKey ${apiKey}` }, ...(body === undefined ? {} : { body }) });
async function keysFor(query: Record<string, string> = {}): Promise<string[]> {
  const answer = await api('GET', `/v1/modules?${new URLSearchParams({ end_user: 'ada', ...query })}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.json.objects.map(({ module_key: key }: { module_key: string }) => key);
}
const linked = async (key: string, fields: object = {}) =>
  (await api('POST', '/v1/module_links', { app_key: 'notes', module_key: key, end_user: 'ada', ...fields })).status;

/** Puts a property as the App does. */
async function keep(key: string, value: unknown): Promise<void> {
  const path = `/t/${id}/rest/atlassian-connect/1/addons/notes/properties/${key}`;
  const { sharedSecret } = app.calls.findLast(({ path: to }) => to === '/installed')!.body;
  const token = appToken({ appKey: 'notes', sharedSecret }, { method: 'PUT', path, now: world.clock.now() });
  const put = await world.call('PUT', path, { headers: { authorization: `JWT ${token}` }, body: JSON.stringify(value) });
  expect([200, 201]).toContain(put.status);
}

describe('the modules that a person is shown', () => {
  test('are those of every type, by location and weight, as text and without a secret', async () => {
    await install({
      generalPages: [
        page('late', { location: 'b', weight: 9 }),
        page('early', { location: 'b', weight: 1 }),
        page('first', { location: 'a' }),
      ],
      adminPages: [page('set-up')],
      configurePage: page('configure'),
      webItems: [page('out', { url: 'https://elsewhere.example/{issue.key}', target: { type: 'page' } })],
      dialogs: [{ key: 'ask', url: '/ask' }],
      jiraIssueFields: [{ key: 'of-jira', name: { value: 'x' } }],
    });
    expect(await keysFor()).toEqual(['out', 'ask', 'first', 'early', 'late']);
    expect(await keysFor({ is_admin: 'true' })).toEqual(['set-up', 'out', 'ask', 'configure', 'first', 'early', 'late']);
    expect(await keysFor({ type: 'generalPages', location: 'b' })).toEqual(['early', 'late']);
    expect(await keysFor({ app_key: 'another' })).toEqual([]);
    const answer = await api('GET', `/v1/modules?type=webItems&context=${encodeURIComponent('{"issue":{"key":"A 1"}}')}`);
    expect(answer.json.objects).toMatchObject([{ name: 'Page out', target: 'page', url: 'https://elsewhere.example/A%201' }]);
    expect(answer.text).not.toContain(app.calls.findLast(({ path }) => path === '/installed')!.body.sharedSecret);
    expect(await linked('out')).toBe(400);
    expect(await linked('ask')).toBe(201);
  });

  test('are none of an App that is disabled, or uninstalled, and again those of one that is enabled', async () => {
    await install({ generalPages: [page('main')] });
    for (const [method, path, shown] of [
      ['POST', '/disable', false],
      ['POST', '/enable', true],
      ['DELETE', '', false],
    ] as const) {
      await world.meta(method, `/applications/${id}/installs/notes${path}`);
      expect([await keysFor(), await linked('main')]).toEqual(shown ? [['main'], 201] : [[], 400]);
    }
  });

  test('of an App that adds them while it runs are shown like those of its descriptor', async () => {
    await install({ generalPages: [page('main')] });
    const path = `/t/${id}/rest/atlassian-connect/1/app/module/dynamic`;
    const { sharedSecret } = app.calls.findLast(({ path: to }) => to === '/installed')!.body;
    const call = (method: string, body?: unknown) =>
      world.call(method, path, {
        headers: { authorization: `JWT ${appToken({ appKey: 'notes', sharedSecret }, { method, path, now: world.clock.now() })}` },
        ...(body === undefined ? {} : { body }),
      });
    expect((await call('POST', { generalPages: [page('added', { conditions: [{ condition: 'user_is_admin' }] })] })).status).toBe(204);
    expect([await keysFor(), await keysFor({ is_admin: 'true' })]).toEqual([['main'], ['main', 'added']]);
    await call('DELETE');
    expect(await keysFor({ is_admin: 'true' })).toEqual(['main']);
  });
});

describe('a condition', () => {
  const when = (...conditions: unknown[]) => ({ generalPages: [page('main', { conditions })] });
  const named = (condition: string, invert?: boolean) => ({ condition, ...(invert === undefined ? {} : { invert }) });

  test.each<[string, unknown[], boolean]>([
    ['that holds', [named('user_is_logged_in')], true],
    ['that does not', [named('user_is_admin')], false],
    ['that does not, inverted', [named('user_is_admin', true)], true],
    ['that holds, inverted by a text', [{ condition: 'user_is_logged_in', invert: 'true' }], false],
    ['that nobody fulfils', [named('user_is_sysadmin')], false],
    ['that is always so', [named('addon_is_licensed')], true],
    ['of a flag', [named('feature_flag')], false],
    ['that only a product knows', [named('can_edit_issue')], false],
    ['that only a product knows, inverted', [named('can_edit_issue', true)], false],
    ['named like something inherited', [named('constructor', true)], false],
    ['beside another, both of which must hold', [named('user_is_logged_in'), named('user_is_admin')], false],
    ['or another', [{ or: [named('user_is_admin'), named('user_is_logged_in')] }], true],
    ['or one that cannot be told', [{ or: [named('can_edit_issue'), named('user_is_logged_in')] }], true],
    ['or only one that cannot be told', [{ or: [named('can_edit_issue'), named('user_is_admin')] }], false],
    ['in a list of the old form', [{ type: 'OR', conditions: [named('user_is_admin'), { and: [named('user_is_logged_in')] }] }], true],
    ['in no list at all', [{ or: [] }], false],
  ])('%s', async (_, conditions, shown) => {
    await install(when(...conditions));
    expect([await keysFor(), await linked('main')]).toEqual(shown ? [['main'], 201] : [[], 400]);
  });

  test('of a person who has not signed in', async () => {
    await install(when(named('user_is_logged_in')));
    expect((await api('GET', '/v1/modules')).json.objects).toEqual([]);
    expect(await linked('main', { end_user: null })).toBe(400);
    expect(await linked('main')).toBe(201);
  });

  test.each<[string, Record<string, string>, string, boolean]>([
    ['exists', {}, 'entity_property_exists', true],
    ['is not there', { propertyKey: 'none' }, 'entity_property_exists', false],
    ['is what it must be', { objectName: 'plan.name', value: '"gold"' }, 'entity_property_equal_to', true],
    ['is what it must be, under the old name', { objectName: 'plan.name', value: '"gold"' }, 'addon_property_equal_to', true],
    ['is something else', { objectName: 'plan.name', value: '"silver"' }, 'entity_property_equal_to', false],
    ['is an object', { objectName: 'plan', value: '{"name":"gold"}' }, 'entity_property_equal_to', true],
    ['has no such part', { objectName: 'plan.constructor', value: '"gold"' }, 'entity_property_equal_to', false],
    ['is compared with what is no JSON', { objectName: 'plan.name', value: 'gold' }, 'entity_property_equal_to', false],
    ['holds one of them', { objectName: 'tags', value: '["b","z"]' }, 'entity_property_contains_any', true],
    ['holds none of them', { objectName: 'tags', value: '["y","z"]' }, 'entity_property_contains_any', false],
    ['holds all of them', { objectName: 'tags', value: '["b","a"]' }, 'entity_property_contains_all', true],
    ['holds not all of them', { objectName: 'tags', value: '["b","z"]' }, 'entity_property_contains_all', false],
    ['is of an issue', { entity: 'issue' }, 'entity_property_exists', false],
  ])('on a property of the App that %s', async (_, params, condition, shown) => {
    await install(when({ condition, params: { entity: 'addon', propertyKey: 'settings', ...params } }));
    await keep('settings', { plan: { name: 'gold' }, tags: ['a', 'b'] });
    expect(await keysFor()).toEqual(shown ? ['main'] : []);
  });

  test('on a property of something else than the App hides the module, inverted too', async () => {
    const params = { entity: 'issue', propertyKey: 'settings' };
    await install(when({ condition: 'entity_property_exists', invert: true, params }));
    expect(await keysFor()).toEqual([]);
    await install(when({ condition: 'entity_property_exists', invert: true, params: { ...params, entity: 'addon', propertyKey: 'none' } }));
    expect(await keysFor()).toEqual(['main']);
  });

  test('that the App is asked about is asked for this person, signed over the whole address', async () => {
    await install(when({ condition: '/show?issue={issue.key}', params: { colour: 'red & blue' } }));
    app.answer = () => ({ status: 200, body: '{"shouldDisplay": true}' });
    expect(await keysFor({ context: '{"issue":{"key":"A-1"}}' })).toEqual(['main']);
    const asked = app.calls.at(-1)!;
    expect(asked.path).toMatch(/^\/show\?issue=A-1&xdm_e=.*&cv=1\.0\.0&colour=red%20%26%20blue$/);
    const claims = JSON.parse(Buffer.from(asked.authorization!.split('.')[1]!, 'base64url').toString('utf8'));
    expect(asked.authorization).toMatch(/^JWT /);
    expect(claims).toMatchObject({ sub: 'ada', context: { issue: { key: 'A-1' } }, qsh: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test.each<[string, { status: number; body?: string }, boolean | null]>([
    ['yes', { status: 200, body: '{"shouldDisplay":true}' }, true],
    ['yes as text', { status: 200, body: '{"shouldDisplay":"true"}' }, true],
    ['no', { status: 200, body: '{"shouldDisplay":false}' }, false],
    ['something else', { status: 200, body: '{"shouldDisplay":1}' }, null],
    ['nothing', { status: 204 }, null],
    ['a page', { status: 200, body: '<html>' }, null],
    ['null', { status: 200, body: 'null' }, null],
    ['an error that says yes', { status: 500, body: '{"shouldDisplay":true}' }, null],
    ['that it moved', { status: 302, body: '{"shouldDisplay":true}' }, null],
    ['too much', { status: 200, body: `{"shouldDisplay":true,"x":"${'x'.repeat(70_000)}"}` }, null],
  ])('to which the App says %s', async (_, answer, said) => {
    await install(when({ condition: '/show' }));
    app.answer = () => answer;
    expect([await keysFor(), await linked('main')]).toEqual(said === true ? [['main'], 201] : [[], 400]);
    app.answer = () => ({ status: 204 });
    await install(when({ condition: '/show', invert: true }));
    app.answer = () => answer;
    expect(await keysFor()).toEqual(said === false ? ['main'] : []);
  });

  test('that the App does not answer hides the module after ten seconds, and no other', async () => {
    await install({ generalPages: [page('main', { conditions: [{ condition: '/show' }] }), page('open')] });
    app.answer = () => new Promise((resolve) => setTimeout(() => resolve({ status: 200, body: '{"shouldDisplay":true}' }), 12_000));
    const began = Date.now();
    expect(await keysFor()).toEqual(['open']);
    expect(Date.now() - began).toBeLessThan(11_500);
  }, 20_000);

  test('is asked of Apps fifty times for one list; what would be asked beyond stays hidden', async () => {
    const five = { conditions: Array.from({ length: 5 }, (_, at) => ({ condition: `/show?${at}` })) };
    await install({ generalPages: Array.from({ length: 12 }, (_, at) => page(`page-${at}`, five)) });
    app.answer = () => ({ status: 200, body: '{"shouldDisplay":true}' });
    const before = app.calls.length;
    expect((await keysFor()).length).toBeLessThanOrEqual(10);
    expect(app.calls.length - before).toBe(50);
    // Control: each by itself is shown.
    expect(await linked('page-11')).toBe(201);
  });

  test("at an address that is not the App's is never asked", async () => {
    await using other = await startFakeApp({ key: 'other' });
    await using beside = await World.create({ egressAllow: [app.address, other.address] });
    const mine = await beside.application();
    const modules = { generalPages: [page('main', { conditions: [{ condition: `${other.url}/show` }] }), page('open')] };
    await beside.meta('POST', '/apps', { descriptor: { ...app.descriptor, modules } });
    await beside.meta('POST', `/applications/${mine.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    other.answer = () => ({ status: 200, body: '{"shouldDisplay":true}' });
    const listed = await beside.call('GET', '/v1/modules', { headers: { authorization: `APIKey ${mine.apiKey}` } });
    expect(listed.json.objects.map((each: { module_key: string }) => each.module_key)).toEqual(['open']);
    expect(other.calls).toEqual([]);
  });
});
