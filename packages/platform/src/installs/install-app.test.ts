import { createPublicKey } from 'node:crypto';
import { queryStringHash, readConnectJwt, sharedSecretKey, verifyConnectJwt } from '@bulkhead/protocol';
import { Secret } from '@bulkhead/base';
import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let app: FakeApp;
let world: World;
let applicationId: string;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  world = await World.create({ egressAllow: [app.address] });
  expect((await world.meta('POST', '/apps', { descriptor_url: `${app.url}/atlassian-connect.json` })).status).toBe(201);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  applicationId = (await world.application()).id;
  await world.platform.runDueDeliveries();
  app.calls.length = 0;
  app.answer = () => ({ status: 204 });
});

const installs = () => `/applications/${applicationId}/installs`;
const install = (scopes: readonly string[] = ['READ']) => world.meta('POST', installs(), { app_key: 'notes', scopes });
const property = (name: string) => `/t/${applicationId}/rest/atlassian-connect/1/addons/notes/properties/${name}`;

/** A call of the App to its host, with what it knows of the last install it was told of. */
function callHost(
  method: string,
  path: string,
  { body, claims, sharedSecret }: { body?: unknown; claims?: Record<string, unknown>; sharedSecret?: string } = {},
) {
  const told = app.calls.findLast(({ body: { eventType } }) => eventType === 'installed')?.body;
  const token = appToken(
    { appKey: 'notes', sharedSecret: sharedSecret ?? told.sharedSecret, clientKey: told.clientKey },
    { method, path, now: world.clock.now() },
    claims,
  );
  return world.call(method, path, { headers: { authorization: `JWT ${token}` }, ...(body === undefined ? {} : { body }) });
}

describe('an install', () => {
  test('tells the App who it is, with a secret of 256 bits, signed by a key of the key server, and only then counts', async () => {
    const answer = await install();
    expect(answer.status, answer.text).toBe(201);
    const [call] = app.calls;
    expect(call!.body).toMatchObject({
      key: 'notes',
      clientKey: answer.json.client_key,
      baseUrl: `${world.url}/t/${applicationId}`,
      eventType: 'installed',
    });
    expect(Buffer.from(call!.body.sharedSecret, 'base64url').byteLength).toBe(32);
    const read = readConnectJwt(call!.authorization!.replace(/^JWT /, ''));
    if ('refused' in read) throw new Error(read.refused);
    const key = await world.call('GET', `/keys/${read.header.kid}`);
    expect(key.headers.get('content-type')).toMatch(/^text\/plain/);
    const rules = { algorithm: 'RS256', key: createPublicKey(key.text), now: world.clock.now() / 1_000, lifetimeSecondsMax: 180 } as const;
    const verified = verifyConnectJwt(read, { ...rules, audience: { is: [app.url] } });
    expect(verified).toMatchObject({
      claims: { iss: answer.json.client_key, qsh: queryStringHash({ method: 'POST', target: '/installed' }) },
    });
    expect(answer.text).not.toContain(call!.body.sharedSecret);
  });

  test('that the App refuses leaves nothing, says what the App said without a secret, and can be tried again under the same clientKey', async () => {
    app.answer = ({ authorization, body }) => ({ status: 401, body: `no: ${authorization} ${body.sharedSecret}` });
    const refused = await install();
    expect(refused.status).toBe(502);
    expect(refused.json).toMatchObject({ code: 'install.refused', message: expect.stringContaining('HTTP 401: no: ') });
    const { sharedSecret, clientKey } = app.calls[0]!.body;
    expect(refused.text).not.toContain(sharedSecret);
    expect(refused.text).not.toContain(app.calls[0]!.authorization!.slice(4, 40));
    expect((await world.meta('GET', installs())).json.objects).toEqual([]);
    expect((await callHost('PUT', property('a'), { body: 1 })).status).toBe(401);
    app.answer = () => ({ status: 200 });
    expect((await install()).json).toMatchObject({ client_key: clientKey, status: 'enabled' });
    expect((await callHost('PUT', property('a'), { body: 1 })).status).toBe(201);
  });

  test('that the App refuses a second time keeps the first one as it was', async () => {
    await install();
    const first = app.calls[0]!.body.sharedSecret;
    app.answer = () => ({ status: 500 });
    expect((await install()).status).toBe(502);
    expect(app.calls.at(-1)!.body.sharedSecret).not.toBe(first);
    expect((await callHost('PUT', property('a'), { body: 1 })).status).toBe(401);
    expect((await callHost('PUT', property('a'), { body: 1, sharedSecret: first })).status).toBe(201);
  });

  test('again gives a new secret under the same clientKey, and the one before is worth nothing', async () => {
    const first = (await install()).json;
    const second = await install();
    expect(second.status).toBe(200);
    expect(second.json.client_key).toBe(first.client_key);
    const [before, after] = app.calls.map(({ body }) => body.sharedSecret);
    expect(after).not.toBe(before);
    expect((await callHost('GET', property('a'), { sharedSecret: before })).status).toBe(401);
    expect((await callHost('GET', property('a'), { sharedSecret: after })).status).toBe(404);
  });

  test('under way takes both secrets: an App may call back before it has answered', async () => {
    await install();
    const before = app.calls[0]!.body.sharedSecret;
    const seen: number[] = [];
    app.answer = async ({ body }) => {
      for (const sharedSecret of [before, body.sharedSecret]) seen.push((await callHost('GET', property('a'), { sharedSecret })).status);
      return { status: 200 };
    };
    expect((await install()).status).toBe(200);
    expect(seen).toEqual([404, 404]);
    expect((await callHost('GET', property('a'), { sharedSecret: before })).status).toBe(401);
  });

  test('under way lets nobody disable or uninstall what is being installed again', async () => {
    await install();
    const seen: number[] = [];
    app.answer = async ({ path }) => {
      if (path === '/installed')
        for (const change of [() => world.meta('DELETE', `${installs()}/notes`), () => world.meta('POST', `${installs()}/notes/disable`)])
          seen.push((await change()).status);
      return { status: 200 };
    };
    expect((await install()).json.status).toBe('enabled');
    expect(seen).toEqual([409, 409]);
  });

  test('whose process died is over after 20 seconds, and its secret with it', async () => {
    await install();
    const [before] = app.calls.map(({ body }) => body.sharedSecret);
    // As a process that is killed leaves it: the App has the new secret, and nobody says what came of it.
    let pending = '';
    app.answer = async ({ body }) => {
      pending = body.sharedSecret;
      world.clock.advance(21_000);
      expect((await callHost('GET', property('a'), { sharedSecret: pending })).status).toBe(401);
      expect((await callHost('GET', property('a'), { sharedSecret: before })).status).toBe(404);
      app.answer = () => ({ status: 200 });
      expect((await install()).status).toBe(200);
      return { status: 200 };
    };
    const late = await install();
    expect(late.json).toMatchObject({ status_code: 409, code: 'install.busy' });
    expect((await callHost('GET', property('a'), { sharedSecret: pending })).status).toBe(401);
    expect((await callHost('GET', property('a'))).status).toBe(404);
  });

  test('of six at once one is made, the others are told that it is under way', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => install()));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409 || status === 200)).toHaveLength(5);
    expect((await world.meta('GET', installs())).json.objects).toHaveLength(1);
    expect(new Set(app.calls.map(({ body }) => body.clientKey)).size).toBe(1);
    expect((await callHost('GET', property('a'))).status).toBe(404);
  });

  test('needs consent to exactly the scopes that the App asks for', async () => {
    for (const scopes of [[], ['WRITE'], ['READ', 'ACT_AS_USER']]) {
      const answer = await install(scopes);
      expect([answer.status, answer.json.code, answer.json.field]).toEqual([400, 'install.scopes_differ', 'scopes']);
    }
    expect(app.calls).toEqual([]);
  });

  test('of an App that nobody has registered is refused, with the way out', async () => {
    const answer = await world.meta('POST', installs(), { app_key: 'unheard-of' });
    expect(answer.json).toMatchObject({ code: 'install.app_unknown', field: 'app_key', message: expect.stringContaining('/v1/meta/apps') });
  });
});

describe('a call of an App', () => {
  test('that counts is of one form: whoever writes its path otherwise is told so', async () => {
    await install();
    const path = property('a');
    for (const bent of [property('%61'), path.replace('/rest/', '//rest/'), path.replace('/addons/', '/%61ddons/'), property('a%5Cb')]) {
      const answer = await callHost('GET', bent);
      expect([bent, answer.status, answer.json.code]).toEqual([bent, 400, 'install.path_malformed']);
    }
    expect((await callHost('GET', path)).status).toBe(404);
    // Whoever has not proved to be the App is told nothing of that kind.
    expect((await callHost('GET', property('%61'), { sharedSecret: 'x'.repeat(32) })).status).toBe(401);
  });
});

describe('what follows an install', () => {
  const told = async () => {
    await world.platform.runDueDeliveries();
    return app.calls.map(({ path }) => path);
  };

  test('the App is told of enabled, disabled and uninstalled, in calls that it can verify', async () => {
    await install();
    expect(await told()).toEqual(['/installed', '/enabled']);
    expect((await world.meta('POST', `${installs()}/notes/disable`)).json.status).toBe('disabled');
    expect((await told()).at(-1)).toBe('/disabled');
    expect((await world.meta('POST', `${installs()}/notes/enable`)).json.status).toBe('enabled');
    expect((await told()).at(-1)).toBe('/enabled');
    const { sharedSecret } = app.calls[0]!.body;
    for (const call of app.calls.slice(1)) {
      const read = readConnectJwt(call.authorization!.slice(4));
      if ('refused' in read) throw new Error(read.refused);
      const key = sharedSecretKey(new Secret(sharedSecret));
      const rules = { algorithm: 'HS256', key, now: world.clock.now() / 1_000, lifetimeSecondsMax: 180 } as const;
      expect(verifyConnectJwt(read, { ...rules, audience: { absentOr: [app.url] } })).toMatchObject({
        claims: { qsh: queryStringHash({ method: 'POST', target: call.path }) },
      });
    }
    expect((await world.meta('DELETE', `${installs()}/notes`)).status).toBe(204);
    expect((await told()).at(-1)).toBe('/disabled');
    world.clock.advance(1_000);
    expect((await told()).at(-1)).toBe('/uninstalled');
    expect(readConnectJwt(app.calls.find(({ path }) => path === '/uninstalled')!.authorization!.slice(4))).toMatchObject({
      header: { alg: 'RS256' },
    });
  });

  test('every call to the App is in its log, with what it said and without a secret, also after it is gone', async () => {
    app.answer = ({ body, authorization }) => ({ status: 400, body: `bad ${body.sharedSecret} ${authorization}` });
    await install();
    app.answer = () => ({ status: 204 });
    await install();
    await told();
    await world.meta('DELETE', `${installs()}/notes`);
    const log = await world.meta('GET', `${installs()}/notes/deliveries`);
    expect(log.json.objects.map((call: { event: string; status: string }) => `${call.event} ${call.status}`).toSorted()).toEqual([
      'disabled pending',
      'enabled delivered',
      'installed delivered',
      'installed failed',
      'uninstalled pending',
    ]);
    for (const { body, authorization } of app.calls) {
      if (body.sharedSecret !== undefined) expect(log.text).not.toContain(body.sharedSecret);
      expect(log.text).not.toContain(authorization!.split('.')[1]);
    }
    expect((await world.meta('GET', `${installs()}/unheard-of/deliveries`)).status).toBe(404);
  });

  test('tokens of an App that is disabled or uninstalled are refused', async () => {
    await install();
    expect((await callHost('GET', property('a'))).status).toBe(404);
    await world.meta('POST', `${installs()}/notes/disable`);
    expect((await callHost('GET', property('a'))).json.code).toBe('install.disabled');
    await world.meta('POST', `${installs()}/notes/enable`);
    expect((await callHost('GET', property('a'))).status).toBe(404);
    await world.meta('DELETE', `${installs()}/notes`);
    expect((await callHost('GET', property('a'))).status).toBe(401);
    expect((await world.meta('GET', `${installs()}/notes`)).status).toBe(404);
  });

  test('an Application that is deleted takes its installs with it: tokens end at once, the App is told', async () => {
    await install();
    await told();
    expect((await callHost('GET', property('a'))).status).toBe(404);
    expect((await world.meta('DELETE', `/applications/${applicationId}`)).status).toBe(204);
    expect((await callHost('GET', property('a'))).status).toBe(401);
    expect((await told()).at(-1)).toBe('/uninstalled');
  });

  describe('nothing of the state before reaches the App after it was told of an install', () => {
    /** Uninstalls, and has the worker send that; the App answers when it is released. */
    async function uninstalledOnItsWay() {
      await install();
      await told();
      await world.meta('DELETE', `${installs()}/notes`);
      world.clock.advance(1_000);
      const arrived = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      const order: string[] = [];
      app.answer = async ({ path, body }) => {
        // What an earlier test has left is not of this Application.
        if (!body.baseUrl.endsWith(applicationId)) return { status: 204 };
        if (path === '/uninstalled') {
          arrived.resolve();
          await released.promise;
        }
        order.push(path);
        return { status: 204 };
      };
      const sent = world.platform.runDueDeliveries();
      await arrived.promise;
      return { release: () => released.resolve(), order, sent };
    }

    test('what is on its way is waited for', async () => {
      const { release, order, sent } = await uninstalledOnItsWay();
      const installed = install();
      setTimeout(release, 300);
      expect((await installed).json.status).toBe('enabled');
      await sent;
      expect(order.filter((path) => path === '/uninstalled' || path === '/installed')).toEqual(['/uninstalled', '/installed']);
    });

    test('where that takes too long the install is to be tried again later, and nothing has changed', async () => {
      const { release, order, sent } = await uninstalledOnItsWay();
      const answer = await install();
      expect([answer.json.code, answer.headers.get('retry-after')]).toEqual(['install.busy', '15']);
      expect(order).not.toContain('/installed');
      release();
      await sent;
      expect((await install()).json.status).toBe('enabled');
    });

    test('what waits is taken back, and told after all where the App refuses the install', async () => {
      await install();
      await told();
      await world.meta('DELETE', `${installs()}/notes`);
      app.answer = ({ path }) => ({ status: path === '/installed' ? 503 : 204 });
      expect((await install()).status).toBe(502);
      await told();
      world.clock.advance(1_000);
      expect((await told()).slice(-2)).toEqual(['/disabled', '/uninstalled']);
      app.answer = () => ({ status: 204 });
      await install();
      await told();
      await world.meta('DELETE', `${installs()}/notes`);
      await install();
      app.calls.length = 0;
      world.clock.advance(1_000);
      expect(await told()).toEqual(['/enabled']);
    });
  });

  test('what an App did not hear of a state that is over it is not told any more', async () => {
    await install();
    await told();
    await world.meta('POST', `${installs()}/notes/disable`);
    await world.meta('POST', `${installs()}/notes/enable`);
    app.calls.length = 0;
    expect(await told()).toEqual(['/enabled']);
  });
});
