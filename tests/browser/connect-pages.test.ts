import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Application, BrowserWorld, type Tab } from './connect-world.ts';

let world: BrowserWorld;
let application: Application;
beforeAll(async () => {
  world = await BrowserWorld.create({ tls: true });
  application = await world.application(
    { branding: { primary_colour: '#0b7a5e', support_url: 'https://n.example/help', privacy_url: 'https://n.example/privacy' } },
    ['harbour', 'lantern'],
  );
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function connectHarbour(tab: Tab): Promise<void> {
  await tab.getByRole('button', { name: 'Harbour Files' }).click();
  await tab.getByRole('button', { name: 'Allow as Ada Alder' }).click();
  await tab.waitForURL(`${world.company}/done?**`);
}

describe('the connect pages in Chromium', () => {
  it.each([true, false])('connect an account with JavaScript switched on: %s', async (javaScriptEnabled) => {
    const { context, tab, complaints } = await world.person({ javaScriptEnabled });
    const { url, verifier } = world.startUrl(application);
    await tab.goto(url);
    await connectHarbour(tab);
    expect(await world.redeem(application, tab.url(), verifier)).toMatchObject({ token_type: 'Bearer' });
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('mark the browser with a cookie that no script, no other host and no plain http sees', async () => {
    const { context, tab } = await world.person();
    await tab.goto(world.startUrl(application).url);
    const [marker] = await context.cookies(world.url);
    expect(marker).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Lax', path: '/', domain: '127.0.0.1' });
    expect(marker!.name).toMatch(/^__Host-/);
    await context.close();
  });

  it('take a key in a form, say what is wrong with it, and connect with the right one', async () => {
    const { context, tab } = await world.person();
    const { url, verifier } = world.startUrl(application);
    await tab.goto(url);
    await tab.getByRole('button', { name: 'Lantern Notes' }).click();
    await tab.getByLabel('API key').fill('wrong');
    await tab.keyboard.press('Enter');
    await tab.getByRole('alert').waitFor();
    expect(await tab.getByLabel('API key').getAttribute('aria-invalid')).toBe('true');
    await tab.getByLabel('API key').fill(world.services.upstream.notesAccounts[0]!.key);
    await tab.getByRole('button', { name: 'Connect' }).click();
    await tab.waitForURL(`${world.company}/done?**`);
    expect(await world.redeem(application, tab.url(), verifier)).toMatchObject({ token_type: 'Bearer' });
    await context.close();
  });

  it('lead back: to the chooser from a form, and to the company by cancelling', async () => {
    const { context, tab } = await world.person();
    await tab.goto(world.startUrl(application).url);
    await tab.getByRole('button', { name: 'Lantern Notes' }).click();
    await tab.getByRole('button', { name: 'Choose another service' }).click();
    await tab.getByRole('heading', { name: 'Connect an account' }).waitFor();
    await tab.getByRole('button', { name: 'Cancel' }).click();
    await tab.waitForURL(`${world.company}/done?**`);
    expect(new URL(tab.url()).searchParams.get('error')).toBe('access_denied');
    await context.close();
  });

  it('survive a reload and the back button', async () => {
    const { context, tab } = await world.person();
    await tab.goto(world.startUrl(application).url);
    await tab.reload();
    await tab.getByRole('button', { name: 'Harbour Files' }).click();
    await tab.getByRole('heading', { name: 'Harbour Files' }).waitFor();
    await tab.goBack();
    await connectHarbour(tab);
    expect(new URL(tab.url()).searchParams.has('code')).toBe(true);
    await context.close();
  });

  it('do not come back to life after the end: the address of a finished flow is a page that says so', async () => {
    const { context, tab } = await world.person();
    await tab.goto(world.startUrl(application).url);
    const chooser = tab.url();
    await connectHarbour(tab);
    const answer = await tab.goto(chooser);
    expect(answer?.status()).toBe(400);
    await tab.getByRole('heading', { name: 'This step is over' }).waitFor();
    await context.close();
  });

  it('cannot be framed, and the SDK frame can', async () => {
    const { context, tab } = await world.person();
    await tab.goto(world.company);
    const loaded = async (address: string) => {
      await tab.evaluate(`new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.src = ${JSON.stringify(address)};
        frame.addEventListener('load', () => resolve());
        document.body.append(frame);
      })`);
      return tab.frames().some((frame) => frame.url() === address);
    };
    expect(await loaded(`${world.url}/static/iexd.html`)).toBe(true);
    const page = `${world.url}/v1/oauth/authorize/x`;
    expect(await loaded(page)).toBe(false);
    await context.close();
  });

  it.each([
    { width: 320, colorScheme: 'light' as const },
    { width: 320, colorScheme: 'dark' as const },
    { width: 1280, colorScheme: 'light' as const },
  ])(
    'fit a screen of $width pixels ($colorScheme) without scrolling sideways, and say what has the focus',
    async ({ width, colorScheme }) => {
      const { context, tab } = await world.person({ viewport: { width, height: 640 }, colorScheme });
      await tab.goto(world.startUrl(application).url);
      for (const service of [null, 'Lantern Notes']) {
        if (service !== null) await tab.getByRole('button', { name: service }).click();
        expect(await tab.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        await tab.keyboard.press('Tab');
        expect(await tab.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
        // WCAG 2.2 §2.5.8
        expect(
          await tab.evaluate(
            "[...document.querySelectorAll('button,input:not([type=hidden])')].filter((target) => target.getBoundingClientRect().height < 24).length",
          ),
        ).toBe(0);
      }
      await context.close();
    },
  );

  it('speak the language of the browser where the Application has none', async () => {
    const { context, tab } = await world.person({ locale: 'fr-FR' });
    await tab.goto(world.startUrl(application).url);
    expect(await tab.getByRole('heading').textContent()).toBe('Connecter un compte');
    expect(await tab.getAttribute('html', 'lang')).toBe('fr');
    await context.close();
  });

  it('load nothing from anywhere but the platform', async () => {
    const branded = await world.application({ branding: { logo_url: 'https://cdn.example/logo.png' } }, ['harbour', 'lantern']);
    const { context, tab } = await world.person();
    const asked: string[] = [];
    tab.on('request', (request) => asked.push(new URL(request.url()).origin));
    await tab.goto(world.startUrl(branded).url);
    await tab.getByRole('button', { name: 'Lantern Notes' }).click();
    await tab.getByLabel('API key').waitFor();
    expect([...new Set(asked)]).toEqual([world.url]);
    await context.close();
  });

  it('a search narrows a long list, and without script the whole list is there', async () => {
    const long = await world.application({}, ['harbour', 'lantern']);
    for (let index = 0; index < 8; index++) {
      await world.meta('POST', `/applications/${long.id}/services`, {
        id: `extra${index}`,
        friendly_name: `Extra ${index}`,
        auth: { type: 'basic' },
        api: { base_url: 'https://extra.example' },
      });
    }
    const { context, tab } = await world.person();
    await tab.goto(world.startUrl(long).url);
    await tab.getByLabel('Search').fill('harb');
    expect(await tab.getByRole('listitem').filter({ visible: true }).count()).toBe(1);
    await tab.getByLabel('Search').fill('nothing like it');
    await tab.getByText('Nothing here has that name.').waitFor();
    await context.close();
    const plain = await world.person({ javaScriptEnabled: false });
    await plain.tab.goto(world.startUrl(long).url);
    expect(await plain.tab.getByRole('listitem').count()).toBe(10);
    expect(await plain.tab.getByLabel('Search').isVisible()).toBe(false);
    await plain.context.close();
  });
});
