import { silentLog } from '@bulkhead/base';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { alder, type Fetch } from '../company/index.ts';
import { type DemoServices, startDemoServices } from '../services.ts';
import { WalkingBrowser } from '../terminal/walking-browser.ts';
import { ask } from '../upstream/browser.testkit.ts';
import { demoNotesAccounts } from '../upstream/index.ts';
import { type DemoSite, startDemoSite } from './start-demo-site.ts';

let services: DemoServices;
let world: World;
let site: DemoSite;
/** What the site's calls to Bulkhead go through; a test may lie here. */
let through: Fetch;

beforeAll(async () => {
  services = await startDemoServices({ log: silentLog });
  world = await World.create({ egressAllow: services.egressAllow });
  const fetchBy: Fetch = (url, init) => through(url, init);
  site = await startDemoSite({
    bulkheadUrl: world.url,
    metaToken: world.metaToken,
    upstream: services.upstream,
    receiver: services.receiver,
    app: services.app,
    clock: world.clock,
    log: silentLog,
    fetch: fetchBy,
  });
});
afterAll(async () => {
  await site.close();
  await world[Symbol.asyncDispose]();
  await services.close();
});
beforeEach(() => {
  through = fetch;
});

/** A visitor without JavaScript, who presses buttons by their form's address. */
async function visitor() {
  const withOrigin: Fetch = (url, init) =>
    fetch(url, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), ...(init.method === 'POST' ? { origin: new URL(url).origin } : {}) },
    });
  const browser = new WalkingBrowser(withOrigin, 'nowhere:');
  let place = await browser.open(site.url);
  const press = async (action: string) => {
    const forms = place.forms.filter((form) => form.action === action);
    if (forms.length === 0) throw new Error(`no form ${action}`);
    place = await browser.submit({ ...place, forms: forms.slice(0, 1) }, {});
    return place;
  };
  return {
    press,
    get place() {
      return place;
    },
    /** Clones and connects, as the person or with Cancel. */
    async connect(key: string, choice: { name: string; value: string }) {
      if (place.forms.some((form) => form.action === `/${key}/clone`)) await press(`/${key}/clone`);
      await press(`/${key}/connect`);
      place = await browser.submit(place, { button: { name: 'service', value: 'harbour' } });
      place = await browser.submit(place, { button: choice });
      return place;
    },
    async bothConnected() {
      await this.connect('alder', { name: 'person', value: 'ada' });
      await this.connect('birch', { name: 'person', value: 'bea' });
    },
    browser,
  };
}

const applications = async () => (await world.meta('GET', '/applications?page_size=1000')).json.total as number;

describe('the page', () => {
  it('goes through the first five steps without JavaScript, for both customers', async () => {
    const someone = await visitor();
    await someone.bothConnected();
    for (const step of ['call', 'exchange', 'wall']) for (const key of ['alder', 'birch']) await someone.press(`/${key}/${step}`);
    const { page } = someone.place;
    expect(page).not.toContain('role="alert" hidden=""');
    for (const said of [
      'Alder Logistics – budget.csv',
      'The token can GET /files for ten minutes, and nothing else.',
      '404: for Alder Logistics, Birch Clinics’s account does not exist.',
      '404: for Birch Clinics, Alder Logistics’s account does not exist.',
    ])
      expect(page).toContain(said);
    expect(page.match(/class="result good"/g)).toHaveLength(10);
    expect(page).not.toContain('class="result bad"');
  });

  it('goes by the branded connect page, which offers both services; an account without OAuth is connected there too', async () => {
    const someone = await visitor();
    await someone.press('/alder/clone');
    const chooser = await someone.press('/alder/connect');
    expect(new URL(chooser.url).origin).toBe(world.url);
    for (const shown of ['Paperboat', alder.colour, 'Harbour Files', 'Lantern Notes']) expect(chooser.page).toContain(shown);
    const form = await someone.browser.submit(chooser, { button: { name: 'service', value: 'lantern' } });
    const { page } = await someone.browser.submit(form, { fill: { api_key: demoNotesAccounts[0]!.key } });
    expect(page).toContain(' at Lantern Notes, for end user ada.');
    expect(page).toContain('ALDER_NOTES_TOKEN');
  });

  it('skips the choice where one service alone is asked for, as its button for Lantern Notes does', async () => {
    const someone = await visitor();
    await someone.press('/alder/clone');
    const { place } = someone;
    const straight = place.forms.find((form) => form.action === '/alder/connect' && form.fields.get('service') === 'lantern')!;
    const form = await someone.browser.submit({ ...place, forms: [straight] }, {});
    expect(form.forms.some(({ fields }) => fields.has('api_key'))).toBe(true);
  });

  it('has a line that makes an API key of one’s own, and that key opens the account', async () => {
    const someone = await visitor();
    await someone.connect('alder', { name: 'person', value: 'ada' });
    const line = /data-copy="(ALDER_API_KEY=[^"]+)"/.exec(someone.place.page)?.[1] ?? '';
    const path = /\$\(curl -sX POST \S+\/v1\/meta(\/applications\/app\w+\/apikeys) -H &quot;Authorization: Bearer \$META_TOKEN&quot;/.exec(
      line,
    )?.[1];
    const key = (await world.meta('POST', String(path))).json.key as string;
    const account = /Connected: account (\d+)/.exec(someone.place.page)?.[1];
    const answer = await world.call('GET', `${world.url}/v1/accounts/${account}/proxy/files`, {
      headers: { authorization: `APIKey ${key}` },
    });
    expect(answer.status).toBe(200);
  });

  it('leads to the guides, and to nothing else of the checkout', async () => {
    const { text } = await ask(site.url);
    const paths = [...text.matchAll(/href="(\/guides\/[^"]+)"/g)].map(([, path]) => String(path));
    expect(paths).toHaveLength(8);
    for (const path of paths) expect((await ask(site.url + path)).text, path).toMatch(/^# /);
    for (const path of ['/guides/', '/guides/../../package.json', '/guides/%2e%2e%2f%2e%2e%2fpackage.json', '/guides/none.md'])
      expect((await ask(site.url + path)).status, path).toBe(404);
  });

  it('shows as the current step where the customer is who has come furthest', async () => {
    const current = ({ page }: { page: string }) => /href="#(\w+)" aria-current="step"/.exec(page)?.[1];
    const someone = await visitor();
    expect(current(someone.place)).toBe('clone');
    await someone.connect('alder', { name: 'person', value: 'ada' });
    expect(current(someone.place)).toBe('call');
    expect(someone.place.page).not.toContain('<li class="done">');
    await someone.press('/birch/clone');
    expect(current(someone.place)).toBe('call');
    expect(someone.place.page.match(/<li class="done">/g)).toHaveLength(1);
  });

  it('never sends the Meta token, an API key, the secret of a webhook or the provider’s client secret to the browser', async () => {
    const keys: string[] = [];
    through = async (url, init) => {
      const answer = await fetch(url, init);
      const made = (await answer
        .clone()
        .json()
        .catch(() => ({}))) as {
        default_api_key?: { key: string };
        secret?: string;
        signing_secret?: string;
      };
      if (made.default_api_key !== undefined) keys.push(made.default_api_key.key);
      if (made.signing_secret !== undefined) keys.push(made.signing_secret, made.secret!);
      return answer;
    };
    const someone = await visitor();
    await someone.bothConnected();
    for (const step of ['call', 'exchange', 'wall']) await someone.press(`/alder/${step}`);
    const { page } = someone.place;
    expect(keys).toHaveLength(6);
    for (const secret of [world.metaToken, services.upstream.client.client_secret, ...keys]) expect(page).not.toContain(secret);
    expect(page, 'control: Bearer tokens are there, to be copied').toMatch(/data-copy="bha_\w{30,}/);
  });

  it('says so when the wall has a hole', async () => {
    const someone = await visitor();
    await someone.bothConnected();
    through = (url, init) => (url.includes('/proxy/') ? Promise.resolve(Response.json({ files: [] })) : fetch(url, init));
    const { page } = await someone.press('/alder/wall');
    expect(page).toContain('The wall has a hole');
    expect(page).toContain('role="alert"');
  });

  it('says so when a token can do more than it was made for', async () => {
    const someone = await visitor();
    await someone.connect('alder', { name: 'person', value: 'ada' });
    through = (url, init) => (url.includes('/proxy/') ? Promise.resolve(Response.json({ files: [] })) : fetch(url, init));
    expect((await someone.press('/alder/exchange')).page).toContain('The token could do more');
  });

  it('tells a person who says no from a failure, and offers to connect again', async () => {
    const someone = await visitor();
    const { page } = await someone.connect('alder', { name: 'cancel', value: '1' });
    expect(page).toContain('Ada Alder said no, and nothing was connected.');
    expect((await someone.connect('alder', { name: 'person', value: 'ada' })).page).toContain('Connected: account');
  });

  it('shows the way out where Bulkhead does not answer, and goes on when it does', async () => {
    const someone = await visitor();
    through = () => Promise.reject(new TypeError('fetch failed'));
    expect((await someone.press('/alder/clone')).page).toContain('Is Bulkhead running?');
    through = fetch;
    expect((await someone.press('/alder/clone')).page).toContain('Alder Logistics has an Application of its own.');
  });

  it('makes one template for all visitors, and starting over deletes a visitor’s Applications only', async () => {
    const [one, other] = [await visitor(), await visitor()];
    await other.press('/birch/clone');
    const before = await applications();
    await one.press('/alder/clone');
    await one.press('/birch/clone');
    expect(await applications()).toBe(before + 2);
    await one.press('/reset');
    expect(one.place.page).not.toContain('has an Application of its own');
    expect(await applications()).toBe(before);
  });

  it('makes the template anew where somebody deleted it', async () => {
    const list = (await world.meta('GET', '/applications?page_size=1000')).json.objects as { id: string; name: string }[];
    for (const { id } of list.filter(({ name }) => name === 'Paperboat template')) await world.meta('DELETE', `/applications/${id}`);
    const { page } = await (await visitor()).press('/alder/clone');
    expect(page).toContain('Alder Logistics has an Application of its own.');
  });

  it('deletes at first use what an earlier start left behind, and nothing that others made', async () => {
    const first = await startDemoSite({
      bulkheadUrl: world.url,
      metaToken: world.metaToken,
      upstream: services.upstream,
      receiver: services.receiver,
      app: services.app,
      clock: world.clock,
      log: silentLog,
    });
    const mine = (await world.meta('POST', '/applications', { name: 'Mine', description: 'Made by me.', environment: 'development' })).json
      .id as string;
    const press = (origin: string, cookie: string) => ask(`${origin}/alder/clone`, { method: 'POST', headers: { origin, cookie } });
    const begin = async (origin: string) => String((await ask(origin)).headers['set-cookie']).split(';')[0] ?? '';
    await press(first.url, await begin(first.url));
    await first.close();
    const second = await startDemoSite({
      bulkheadUrl: world.url,
      metaToken: world.metaToken,
      upstream: services.upstream,
      receiver: services.receiver,
      app: services.app,
      clock: world.clock,
      log: silentLog,
    });
    await press(second.url, await begin(second.url));
    await second.close();
    const left = (await world.meta('GET', '/applications?page_size=1000')).json.objects as { id: string; description: string }[];
    expect(left.filter(({ description }) => description.startsWith('Made by the demo page'))).toHaveLength(2);
    expect(left.map(({ id }) => id)).toContain(mine);
  });
});

describe('the site refuses', () => {
  const post = async (headers: Record<string, string>, path = '/alder/clone', body = '') =>
    ask(site.url + path, { method: 'POST', headers, body });
  const session = async () => String((await ask(site.url)).headers['set-cookie']).split(';')[0] ?? '';

  it.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['no origin', {}],
    ['an opaque origin', { origin: 'null' }],
  ])('buttons pressed from %s', async (_, headers) => {
    const before = await applications();
    const answer = await post({ ...headers, cookie: await session() });
    expect(answer.status).toBe(403);
    expect(await applications()).toBe(before);
  });

  it('control: the same from its own origin is taken', async () => {
    expect((await post({ origin: site.url, cookie: await session() })).status).toBe(303);
  });

  it('a host name that merely points here', async () => {
    expect((await ask(site.url, { headers: { host: 'rebound.example' } })).status).toBe(421);
  });

  it('an answer of the connect flow in another browser than the one that asked', async () => {
    const someone = await visitor();
    await someone.press('/alder/clone');
    // The state is in the request that the site pushes; another visitor brings it back.
    let state = '';
    through = (url, init) => {
      state ||= new URLSearchParams(init.body as string).get('state') ?? '';
      return fetch(url, init);
    };
    await someone.press('/alder/connect');
    expect(state).not.toBe('');
    const answer = await ask(`${site.url}/connected?code=stolen&state=${state}`, { headers: { cookie: await session() } });
    expect(answer.status).toBe(400);
    const own = await someone.browser.open(`${site.url}/connected?code=wrong&state=${state}`);
    expect(own.page, 'control: in the browser that asked it goes to the token endpoint, which refuses the code').toContain(
      'POST /v1/oauth/token: expected 200',
    );
  });

  it.each([
    ['/alder/nothing', 404],
    ['/nobody/clone', 404],
    ['/__proto__/clone', 404],
  ])('the step %s', async (path, status) => {
    expect((await post({ origin: site.url, cookie: await session() }, path)).status).toBe(status);
  });

  it('bodies of any size', async () => {
    expect((await post({ origin: site.url, cookie: await session() }, '/alder/connect', `service=${'x'.repeat(5000)}`)).status).toBe(413);
  });

  it('steps before their time, with a sentence', async () => {
    const cookie = await session();
    expect((await post({ origin: site.url, cookie }, '/alder/wall')).status).toBe(303);
    expect((await ask(site.url, { headers: { cookie } })).text).toContain(
      'This step comes after another. First: Connect (both customers).',
    );
  });

  it('frames, foreign scripts and sniffing', async () => {
    const { headers } = await ask(site.url);
    expect(headers['content-security-policy']).toContain("default-src 'none'; style-src 'self'; script-src 'self'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/HttpOnly; SameSite=Lax$/)]);
  });
});
