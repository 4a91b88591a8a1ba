import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld } from '../../test/connect-world.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application();
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.tokenAnswer = null;
  connect.upstream.tokenRequests = 0;
  connect.upstream.identityStatus = null;
  connect.upstream.beforeToken = async () => undefined;
});

const begin = async (visitor: Visitor, of = application) => visitor.get(connect.startUrl(of));

/** The flow is over: what would have been the right answer finds nothing either, and the service was never asked. */
async function expectEnded(visitor: Visitor, right: string): Promise<void> {
  const again = await visitor.get(right);
  expect([again.status, again.location]).toEqual([400, '']);
  expect(connect.upstream.tokenRequests).toBe(0);
}

describe('C1 a flow begun by one person is not completed by another', () => {
  it("a state from another browser ends the flow, in the other browser and in one's own", async () => {
    const visitor = new Visitor();
    const back = connect.upstream.approve((await begin(visitor)).location);
    const stranger = await new Visitor().get(back);
    expect([stranger.status, stranger.location]).toEqual([403, '']);
    expect(stranger.text).toContain('authorization.other_browser');
    await expectEnded(visitor, back);
  });

  it('control: in the browser that began it the same address connects', async () => {
    const visitor = new Visitor();
    const back = connect.upstream.approve((await begin(visitor)).location);
    expect(answerOf((await visitor.get(back)).location).has('code')).toBe(true);
  });

  it('the marker of another flow of the same browser does not help', async () => {
    const [visitor, attacker] = [new Visitor(), new Visitor()];
    await begin(visitor);
    const back = connect.upstream.approve((await begin(attacker)).location);
    expect((await visitor.get(back)).status).toBe(403);
  });

  it('the page of a flow shows nothing to another browser and stays whole for its own', async () => {
    const several = await connect.application({}, [connect.upstream.service('harbour'), connect.upstream.keyService('lantern')]);
    const visitor = new Visitor();
    const { location } = await visitor.get(connect.startUrl(several));
    const stranger = await new Visitor().get(location);
    expect(stranger.status).toBe(403);
    expect(stranger.text).not.toContain('Service harbour');
    expect((await new Visitor().post(location, { cancel: '1' })).status).toBe(403);
    expect((await visitor.get(location)).text).toContain('Service harbour');
  });
});

describe('C2 a response is accepted only for what it was asked for', () => {
  it('at the callback of another service of the same provider it ends the flow', async () => {
    const twins = await connect.application({ enabled_services: ['harbour', 'harbour2'] }, [
      connect.upstream.service('harbour'),
      connect.upstream.service('harbour2'),
    ]);
    const callbackOf = async (service: string) =>
      connect.upstream.read((await new Visitor().get(connect.startUrl(twins, { scope: service }))).location).redirectUri;
    const [one, two] = [await callbackOf('harbour'), await callbackOf('harbour2')];
    expect(one).not.toBe(two);
    const visitor = new Visitor();
    const right = connect.upstream.approve((await visitor.get(connect.startUrl(twins, { scope: 'harbour' }))).location);
    const answer = await visitor.get(right.replace(one, two));
    expect(answerOf(answer.location).get('error')).toBe('server_error');
    await expectEnded(visitor, right);
  });

  it('at a callback that does not exist it ends the flow', async () => {
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor)).location);
    const answer = await visitor.get(right.replace(/callback\/[^?]+/, 'callback/harbour'));
    expect(answerOf(answer.location).get('error')).toBe('server_error');
    await expectEnded(visitor, right);
  });

  it.each<[string, (of: ConnectApplication) => Promise<unknown>]>([
    [
      'the endpoints changed',
      async (of) =>
        connect.world.meta('PATCH', `/applications/${of.id}/services/harbour`, { api: { base_url: `${connect.upstream.url}/v2` } }),
    ],
    [
      'the OAuth key was replaced',
      async (of) => {
        const keys = await connect.world.meta('GET', `/applications/${of.id}/oauth_keys`);
        await connect.world.meta('DELETE', `/applications/${of.id}/oauth_keys/${keys.json.objects[0].id}`);
        await connect.world.meta('POST', `/applications/${of.id}/oauth_keys`, {
          service: 'harbour',
          client_id: connect.upstream.clientId,
          client_secret: connect.upstream.clientSecret,
        });
      },
    ],
    ['the service was switched off', async (of) => connect.world.meta('PATCH', `/applications/${of.id}`, { enabled_services: [] })],
    [
      'the client_id changed',
      async (of) => {
        const keys = await connect.world.meta('GET', `/applications/${of.id}/oauth_keys`);
        await connect.world.meta('PATCH', `/applications/${of.id}/oauth_keys/${keys.json.objects[0].id}`, { client_id: 'another' });
      },
    ],
  ])('where %s meanwhile it ends the flow before the service is asked', async (_, change) => {
    const own = await connect.application();
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor, own)).location);
    await change(own);
    const answer = await visitor.get(right);
    expect(answerOf(answer.location).get('error')).toBe('server_error');
    expect(connect.upstream.tokenRequests).toBe(0);
  });

  it('a new client secret alone does not end it', async () => {
    const own = await connect.application();
    const keys = await connect.world.meta('GET', `/applications/${own.id}/oauth_keys`);
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor, own)).location);
    await connect.world.meta('PATCH', `/applications/${own.id}/oauth_keys/${keys.json.objects[0].id}`, {
      client_secret: connect.upstream.clientSecret,
    });
    expect(answerOf((await visitor.get(right)).location).has('code')).toBe(true);
  });

  it('a clone has callbacks, states and flows of its own', async () => {
    const clone = await connect.world.application({ source: application.id, name: 'Clone' });
    const visitor = new Visitor();
    const begun = await begin(visitor);
    const state = connect.upstream.read(begun.location).state;
    // The same secret part under the clone's name is no credential of anybody.
    const forged = connect.upstream.approve(begun.location).replace(state, state.replace(application.id.slice(3), clone.id.slice(3)));
    expect((await visitor.get(forged)).status).toBe(400);
    expect(answerOf((await connect.approve(visitor, begun)).location).has('code')).toBe(true);
  });

  it('where the Application was switched off meanwhile nothing is sent to its redirect URI', async () => {
    const own = await connect.application();
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor, own)).location);
    await connect.world.meta('PATCH', `/applications/${own.id}`, { active: false });
    const answer = await visitor.get(right);
    expect([answer.status, answer.location]).toEqual([400, '']);
    expect(connect.upstream.tokenRequests).toBe(0);
  });
});

describe('C3 state and iss', () => {
  it('where its redirect URI was taken away meanwhile nothing is sent there, and the service is not asked', async () => {
    const own = await connect.application();
    const visitor = new Visitor();
    const back = connect.upstream.approve((await begin(visitor, own)).location);
    const { json } = await connect.world.meta('GET', `/applications/${own.id}/redirect_uris`);
    await connect.world.meta('DELETE', `/applications/${own.id}/redirect_uris/${json.objects[0].id}`);
    const answer = await visitor.get(back);
    expect([answer.status, answer.location]).toEqual([400, '']);
    expect(answer.text).toContain('authorization.redirect_uri_unregistered');
    await expectEnded(visitor, back);
  });

  it('where its page is trusted no more, or the implicit grant was switched off, no token is handed over', async () => {
    for (const takeAway of ['trusted domain', 'implicit grant', 'nothing'] as const) {
      const own = await connect.application({ implicit_grant_enabled: true });
      const visitor = new Visitor();
      const back = connect.upstream.approve((await visitor.get(connect.popupUrl(own))).location);
      if (takeAway === 'trusted domain') {
        const { json } = await connect.world.meta('GET', `/applications/${own.id}/trusted_domains`);
        await connect.world.meta('DELETE', `/applications/${own.id}/trusted_domains/${json.objects[0].id}`);
      }
      if (takeAway === 'implicit grant') await connect.world.meta('PATCH', `/applications/${own.id}`, { implicit_grant_enabled: false });
      const answer = await visitor.get(back);
      expect([takeAway, answer.text.includes('bha_')]).toEqual([takeAway, takeAway === 'nothing']);
    }
  });

  it('where its redirect URI was taken away meanwhile the chooser is a page that leads nowhere', async () => {
    const several = await connect.application({}, [connect.upstream.service('harbour'), connect.upstream.keyService('lantern')]);
    const visitor = new Visitor();
    const { location } = await begin(visitor, several);
    const { json } = await connect.world.meta('GET', `/applications/${several.id}/redirect_uris`);
    await connect.world.meta('DELETE', `/applications/${several.id}/redirect_uris/${json.objects[0].id}`);
    const cancelled = await visitor.post(location, { cancel: '1' });
    expect([cancelled.status, cancelled.location]).toEqual([400, '']);
  });

  it('a state is used once, even by ten requests at the same moment', async () => {
    const visitor = new Visitor();
    const back = connect.upstream.approve((await begin(visitor)).location);
    const before = new Map(visitor.cookies);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const tab = new Visitor();
        for (const [name, value] of before) tab.cookies.set(name, value);
        return tab.get(back);
      }),
    );
    expect(answers.filter((answer) => answer.location.includes('code=')).length).toBe(1);
    expect(connect.upstream.tokenRequests).toBe(1);
  });

  it('a state lives ten minutes', async () => {
    const [late, early] = [new Visitor(), new Visitor()];
    const lateBack = connect.upstream.approve((await begin(late)).location);
    connect.world.clock.advance(9 * 60_000);
    const earlyBack = connect.upstream.approve((await begin(early)).location);
    connect.world.clock.advance(61_000);
    expect((await late.get(lateBack)).text).toContain('authorization.flow_expired');
    expect(answerOf((await early.get(earlyBack)).location).has('code')).toBe(true);
  });

  it.each<[string, (back: string) => string]>([
    ['a wrong iss', (back) => back.replace(/iss=[^&]+/, 'iss=https%3A%2F%2Fevil.example')],
    ['no iss where it was promised', (back) => back.replace(/&iss=[^&]+/, '')],
    ['iss twice', (back) => `${back}&iss=https%3A%2F%2Fevil.example`],
    ['code twice', (back) => `${back}&code=other`],
    ['no code', (back) => back.replace(/code=[^&]+&/, '')],
  ])('%s ends the flow before any token request', async (_, change) => {
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor)).location);
    const answer = await visitor.get(change(right));
    expect(answerOf(answer.location).get('error')).toBe('server_error');
    await expectEnded(visitor, right);
  });

  it.each(['', 'state=', 'state=abc', 'state=bht_x', 'code=1'])('a callback with "%s" is a page', async (query) => {
    const answer = await new Visitor().get(`${connect.url}/v1/oauth/callback/harbour?${query}`);
    expect([answer.status, answer.location]).toEqual([400, '']);
  });

  it('a repeated state is a page and does not touch the flow', async () => {
    const visitor = new Visitor();
    const right = connect.upstream.approve((await begin(visitor)).location);
    expect((await visitor.get(`${right}&state=other`)).status).toBe(400);
    expect(answerOf((await visitor.get(right)).location).has('code')).toBe(true);
  });

  it('another choice makes the first state worthless', async () => {
    const several = await connect.application({}, [connect.upstream.service('harbour'), connect.upstream.service('harbour2')]);
    const visitor = new Visitor();
    const { location: page } = await visitor.get(connect.startUrl(several));
    const first = connect.upstream.approve((await visitor.post(page, { service: 'harbour' })).location);
    const second = connect.upstream.approve((await visitor.post(page, { service: 'harbour2' })).location);
    expect((await visitor.get(first)).text).toContain('authorization.flow_unknown');
    expect(answerOf((await visitor.get(second)).location).has('code')).toBe(true);
  });
});
