import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  const basic = { ...connect.upstream.keyService('ledger'), auth: { type: 'basic' }, identity: undefined };
  application = await connect.application(
    { branding: { display_name: 'Northwind Planner', locale: 'de', primary_colour: '#0b7a5e', support_url: 'https://n.example/help' } },
    [connect.upstream.service('harbour'), connect.upstream.keyService('lantern'), basic],
  );
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.identityStatus = null;
  connect.upstream.person = { id: 'ada', name: 'ada@example.com' };
});

async function open(parameters: Record<string, string | null> = {}): Promise<{ visitor: Visitor; page: string }> {
  const visitor = new Visitor();
  const begun = await visitor.get(connect.startUrl(application, parameters));
  return { visitor, page: begun.location };
}

describe('the service chooser', () => {
  it('lists what the Application offers, in its name and language', async () => {
    const { visitor, page } = await open();
    const answer = await visitor.get(page);
    expect(answer.status).toBe(200);
    for (const text of [
      '<html lang="de">',
      'Northwind Planner',
      'Service harbour',
      'Service lantern',
      'Service ledger',
      'https://n.example/help',
    ])
      expect(answer.text).toContain(text);
    expect(answer.text).not.toMatch(/bulkhead/i);
  });

  it('lists only what the scope fits', async () => {
    const { visitor, page } = await open({ scope: 'harbour lantern' });
    const { text } = await visitor.get(page);
    expect([text.includes('Service lantern'), text.includes('Service ledger')]).toEqual([true, false]);
  });

  it('leads on with 303 after the POST, and the account is connected', async () => {
    const { visitor, page } = await open();
    const chosen = await visitor.post(page, { service: 'harbour' });
    expect(chosen.status).toBe(303);
    const done = await connect.approve(visitor, chosen);
    expect(answerOf(done.location).has('code')).toBe(true);
  });

  it.each(['unknown', 'gdrive', '', '__proto__'])('shows itself again for the service "%s", which it does not offer', async (service) => {
    const { visitor, page } = await open();
    const answer = await visitor.post(page, { service });
    expect([answer.status, answer.location]).toEqual([303, page]);
  });

  it('cancelling tells the client access_denied and ends the flow', async () => {
    const { visitor, page } = await open();
    const answer = await visitor.post(page, { cancel: '1' });
    expect(answer.status).toBe(303);
    expect(answer.location.startsWith(`${REDIRECT_URI}?error=access_denied&`)).toBe(true);
    expect(answerOf(answer.location).get('iss')).toBe(connect.url);
    expect(visitor.cookies.size).toBe(0);
    expect((await visitor.get(page)).status).toBe(400);
  });

  it('two cancellations at once answer once', async () => {
    const { visitor, page } = await open();
    const answers = await Promise.all([visitor.post(page, { cancel: '1' }), visitor.post(page, { cancel: '1' })]);
    expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([303, 400]);
  });

  it.each(['cross-site', 'same-site'])('a form sent from %s is refused, and from itself accepted', async (site) => {
    const { visitor, page } = await open();
    expect((await visitor.post(page, { service: 'harbour' }, { 'sec-fetch-site': site })).status).toBe(403);
    expect((await visitor.post(page, { service: 'harbour' }, { 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  });

  it('a wrong address is a page, whatever is wrong', async () => {
    const { visitor, page } = await open();
    for (const address of [page.slice(0, -1), `${page}x`, page.replace('bht_', 'bhc_'), `${connect.url}/v1/oauth/authorize/x`])
      expect((await visitor.get(address)).status, address).toBe(400);
    expect((await visitor.get(page)).status).toBe(200);
  });

  it('is over after ten minutes, and the flow after thirty, however often another service is chosen', async () => {
    const { visitor, page } = await open();
    for (let step = 0; step < 3; step++) {
      connect.world.clock.advance(9 * 60_000);
      expect((await visitor.post(page, { service: 'harbour' })).status).toBe(303);
    }
    connect.world.clock.advance(3 * 60_000 + 1000);
    expect((await visitor.post(page, { service: 'harbour' })).text).toContain('authorization.flow_expired');
    const fresh = await open();
    connect.world.clock.advance(10 * 60_000 + 1000);
    expect((await fresh.visitor.get(fresh.page)).text).toContain('authorization.flow_expired');
  });

  it('an Application tidies up what ended a day ago', async () => {
    const count = async () =>
      (
        await connect.world.database.database.withSystem('test', (tx) =>
          tx.query(sql`select 1 from authorization_transactions where application_id = ${application.id}`),
        )
      ).length;
    expect(await count()).toBeGreaterThan(3);
    connect.world.clock.advance(25 * 3_600_000);
    await open();
    expect(await count()).toBe(1);
  });
});

describe('services without OAuth', () => {
  it('a single one shows its form at once', async () => {
    const { visitor, page } = await open({ scope: 'lantern' });
    const answer = await visitor.get(page);
    expect(answer.text).toContain('name="api_key"');
    expect(answer.text).not.toContain('Anderen Dienst wählen');
  });

  it('a key that the service accepts connects the account it opens', async () => {
    const { visitor, page } = await open();
    const form = await visitor.post(page, { service: 'lantern' });
    expect((await visitor.get(form.location)).text).toContain('name="api_key"');
    const done = await visitor.post(`${page}/credential`, { service: 'lantern', api_key: ` ${connect.upstream.apiKey}\n` });
    expect(done.status).toBe(303);
    const redeemed = await connect.redeem(application, done.location);
    const account = await connect.world.call('GET', `/v1/accounts/${redeemed.json.account_id}`, {
      headers: { authorization: `APIKey ${application.apiKey}` },
    });
    expect(account.json).toMatchObject({ service: 'lantern', account: 'ada@example.com' });
  });

  it.each([
    ['a wrong key', { api_key: 'wrong' }, 'nicht angenommen'],
    ['no key', {}, 'alle Felder'],
    ['blanks', { api_key: '   ' }, 'alle Felder'],
    ['a line break', { api_key: 'a\r\nX-Other: b' }, 'alle Felder'],
    ['a letter that no header holds', { api_key: 'schlüssel😀' }, 'alle Felder'],
  ])('%s shows the form again, says why, and stores nothing', async (_, fields, text) => {
    const { visitor, page } = await open({ scope: 'lantern' });
    const answer = await visitor.post(`${page}/credential`, { service: 'lantern', ...fields });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain(text);
    expect(answer.text).toContain('role="alert"');
    expect(answer.text).not.toContain('X-Other');
    expect((await visitor.post(`${page}/credential`, { service: 'lantern', api_key: connect.upstream.apiKey })).status).toBe(303);
  });

  it('a service that is down is not a wrong key', async () => {
    connect.upstream.identityStatus = 503;
    const { visitor, page } = await open({ scope: 'lantern' });
    const answer = await visitor.post(`${page}/credential`, { service: 'lantern', api_key: connect.upstream.apiKey });
    expect(answer.text).toContain('nicht erreichbar');
  });

  it('ten tries are all there are', async () => {
    const { visitor, page } = await open({ scope: 'lantern' });
    for (let attempt = 0; attempt < 10; attempt++)
      expect((await visitor.post(`${page}/credential`, { service: 'lantern', api_key: 'wrong' })).status).toBe(422);
    const last = await visitor.post(`${page}/credential`, { service: 'lantern', api_key: connect.upstream.apiKey });
    expect(answerOf(last.location).get('error')).toBe('access_denied');
    expect((await visitor.get(page)).status).toBe(400);
  });

  it('one form sent twice connects once', async () => {
    const { visitor, page } = await open({ scope: 'lantern' });
    const send = () => visitor.post(`${page}/credential`, { service: 'lantern', api_key: connect.upstream.apiKey });
    const answers = await Promise.all([send(), send(), send()]);
    expect(answers.filter(({ location }) => location.includes('code=')).length).toBe(1);
  });

  it('the form is not for a service with OAuth, nor for one that is not offered', async () => {
    const { visitor, page } = await open({ scope: 'lantern harbour' });
    for (const service of ['harbour', 'ledger', 'unknown'])
      expect(
        (await visitor.post(`${page}/credential`, { service, api_key: connect.upstream.apiKey, username: 'a', password: 'b' })).status,
        service,
      ).toBe(400);
  });

  it('a password is never shown again, a user name is', async () => {
    const { visitor, page } = await open({ scope: 'ledger', form_data: '{"username":"prefilled","password":"never"}' });
    const form = await visitor.get(page);
    expect(form.text).toContain('value="prefilled"');
    expect(form.text).not.toContain('never"');
    const again = await visitor.post(`${page}/credential`, { service: 'ledger', username: 'a:b', password: 'hunter2-secret' });
    expect(again.text).toContain('value="a:b"');
    expect(again.text).not.toContain('hunter2');
  });

  it('where a service cannot say whose account it is, the user name does', async () => {
    const { visitor, page } = await open({ scope: 'ledger' });
    const done = await visitor.post(`${page}/credential`, { service: 'ledger', username: 'bookkeeper', password: 'pass' });
    const redeemed = await connect.redeem(application, done.location);
    const account = await connect.world.call('GET', `/v1/accounts/${redeemed.json.account_id}`, {
      headers: { authorization: `APIKey ${application.apiKey}` },
    });
    expect(account.json.account).toBe('bookkeeper');
  });

  it('the page of the form lets nothing run and ends only where it may', async () => {
    const { visitor, page } = await open({ scope: 'lantern' });
    const policy = String((await visitor.get(page)).headers['content-security-policy']);
    expect(policy).not.toContain('script-src');
    expect(policy).toMatch(/form-action 'self' https: http:;/);
  });
});
