import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConnectApplication, ConnectWorld, ORIGIN, REDIRECT_URI } from '../../test/connect-world.ts';
import { type PageAnswer, Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application({ implicit_grant_enabled: true });
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});

/** What the page would post, and to whom; null where it posts nothing. */
function posted(answer: PageAnswer): { message: { type: string; id: unknown; data: Record<string, unknown> }; origin: string } | null {
  const match = /postMessage\(("(?:[^"\\]|\\.)*"),("(?:[^"\\]|\\.)*")\)/.exec(answer.text);
  if (match === null) return null;
  const text = JSON.parse(match[1]!) as string;
  expect(text.startsWith('kloudless:')).toBe(true);
  return { message: JSON.parse(text.slice('kloudless:'.length)), origin: JSON.parse(match[2]!) };
}

describe('the browser SDK (redirect_uri urn:ietf:wg:oauth:2.0:oob)', () => {
  it('gets its token as a message to the one trusted origin, with id and state as it gave them', async () => {
    const visitor = new Visitor();
    const answer = await connect.approve(visitor, await visitor.get(connect.popupUrl(application)));
    const sent = posted(answer)!;
    expect(sent.origin).toBe(ORIGIN);
    expect(sent.message).toMatchObject({ type: 'authentication', id: 42, data: { token_type: 'Bearer', state: '42', iss: connect.url } });
    const verified = await connect.world.call('GET', '/v1/oauth/token', {
      headers: { authorization: `Bearer ${String(sent.message.data['access_token'])}` },
    });
    expect(verified.json.client_id).toBe(application.id);
    expect(answer.headers['cross-origin-opener-policy']).toBeUndefined();
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
  });

  it.each<[string, string | null, number]>([
    ['an origin that is not trusted', 'http://evil.example', 403],
    ['another port', 'http://app.example:3001', 403],
    ['a subdomain', 'http://x.app.example:3000', 403],
    ['a suffix', 'http://app.example:3000.evil.example', 400],
    ['a path behind the origin', `${ORIGIN}/`, 400],
    ['user info', 'http://app.example:3000@evil.example', 400],
    ['null, as sandboxed pages have it', 'null', 400],
    ['any', '*', 400],
    ['another scheme', 'ftp://app.example:3000', 400],
    ['none', null, 400],
  ])('%s gets no message, only a page that says what to do', async (_, origin, status) => {
    const answer = await new Visitor().get(connect.popupUrl(application, { origin }));
    expect([answer.status, answer.location, posted(answer), answer.headers['set-cookie']]).toEqual([status, '', null, undefined]);
    expect(answer.text).toContain(
      status === 403 ? `/v1/meta/applications/${application.id}/trusted_domains` : 'authorization.origin_missing',
    );
  });

  it('an origin that is trusted no more gets nothing, although the flow was begun with it', async () => {
    const own = await connect.application({ implicit_grant_enabled: true });
    const pushed = await connect.push(own, {
      redirect_uri: 'urn:ietf:wg:oauth:2.0:oob',
      response_type: 'token',
      origin: ORIGIN,
      request_id: '1',
      state: '1',
    });
    expect(pushed.status).toBe(201);
    const domains = await connect.world.meta('GET', `/applications/${own.id}/trusted_domains`);
    await connect.world.meta('DELETE', `/applications/${own.id}/trusted_domains/${domains.json.objects[0].id}`);
    const answer = await new Visitor().get(
      `${connect.url}/v1/oauth?${new URLSearchParams({ client_id: own.id, request_uri: pushed.json.request_uri }).toString()}`,
    );
    expect([answer.status, posted(answer)]).toEqual([403, null]);
  });

  it('errors go to the trusted origin as messages too', async () => {
    const answer = await new Visitor().get(connect.popupUrl(application, { scope: 'calendar' }));
    expect(posted(answer)).toMatchObject({
      origin: ORIGIN,
      message: { id: 42, data: { error: 'invalid_scope', state: '42', iss: connect.url } },
    });
    expect(posted(answer)!.message.data).not.toHaveProperty('access_token');
  });

  it('the user saying no at the service arrives as access_denied', async () => {
    const visitor = new Visitor();
    const begun = await visitor.get(connect.popupUrl(application));
    expect(posted(await visitor.get(connect.upstream.deny(begun.location)))!.message.data).toMatchObject({
      error: 'access_denied',
      state: '42',
    });
  });

  it('an Application without implicit grant tells the trusted origin so', async () => {
    const strict = await connect.application();
    expect(posted(await new Visitor().get(connect.popupUrl(strict)))!.message.data).toMatchObject({ error: 'unauthorized_client' });
  });

  it('gets no code: that would be redeemed in the browser', async () => {
    const answer = await new Visitor().get(connect.popupUrl(application, { response_type: 'code' }));
    expect(posted(answer)!.message.data).toMatchObject({ error: 'unsupported_response_type' });
  });

  it('whatever stands in state stays inside the script', async () => {
    const state = '</script><script>alert(1)</script><!--\u2028';
    const visitor = new Visitor();
    const answer = await connect.approve(
      visitor,
      await visitor.get(connect.popupUrl(application, { state, request_id: state.slice(0, 60) })),
    );
    expect(answer.text.match(/<script/g)!.length).toBe(1);
    expect(posted(answer)!.message.data['state']).toBe(state);
  });

  it('origin is no way around the redirect URI: a plain redirect never posts', async () => {
    const visitor = new Visitor();
    const done = await connect.approve(visitor, await visitor.get(connect.startUrl(application, { origin: ORIGIN, request_id: '1' })));
    expect(done.location.startsWith(REDIRECT_URI)).toBe(true);
    expect(posted(done)).toBeNull();
  });
});

describe('/static/iexd.html', () => {
  it('may be framed, and holds nothing', async () => {
    const answer = await new Visitor().get(`${connect.url}/static/iexd.html`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toContain('text/html');
    expect(answer.headers['x-frame-options']).toBeUndefined();
    expect(answer.headers['content-security-policy']).not.toContain('frame-ancestors');
    expect(answer.text).not.toContain('<script');
  });
});
