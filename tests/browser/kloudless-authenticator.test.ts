import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Application, BrowserWorld, type Tab } from './connect-world.ts';

/** Opens the company's page and makes the SDK ready. What runs in the page is text: its globals are not ours. */
async function companyPage(world: BrowserWorld, tab: Tab, application: Pick<Application, 'id'>): Promise<void> {
  await tab.goto(world.company);
  await tab.evaluate(`prepare(${JSON.stringify(world.url)}, ${JSON.stringify({ client_id: application.id, scope: 'any' })})`);
}

async function openPopup(tab: Tab): Promise<Tab> {
  const [popup] = await Promise.all([tab.waitForEvent('popup'), tab.click('#connect')]);
  return popup;
}

async function result(tab: Tab): Promise<Record<string, unknown>> {
  const handle = await tab.waitForFunction('results[0]');
  return (await handle.jsonValue()) as Record<string, unknown>;
}

const resultCount = (tab: Tab) => tab.evaluate('results.length');

describe.each([{ tls: false }, { tls: true }])('@kloudless/authenticator 1.3.0, unmodified, in Chromium (tls: $tls)', ({ tls }) => {
  let world: BrowserWorld;
  let application: Application;
  beforeAll(async () => {
    world = await BrowserWorld.create({ tls });
    application = await world.application({ implicit_grant_enabled: true, trusted_domains: [new URL(world.company).host] });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('connects an account in a pop-up and hands the page its token and account', async () => {
    const { context, tab, complaints } = await world.person();
    await companyPage(world, tab, application);
    const popup = await openPopup(tab);
    await popup.getByRole('button', { name: 'Allow as Ada Alder' }).click();
    const connected = await result(tab);
    expect(connected['access_token']).toMatch(/^bha_/);
    expect(connected).toMatchObject({ token_type: 'Bearer', account: { service: 'harbour', account: 'Ada Alder', type: 'account' } });
    expect(popup.isClosed()).toBe(true);
    // The hidden frame of the SDK loads, and no page breaks its own policy.
    expect(complaints).toEqual([]);
    expect((await context.cookies(world.url)).filter(({ name }) => name.includes('flow'))).toEqual([]);
    await context.close();
  });

  it('chooses among several services with the keyboard alone', async () => {
    const several = await world.application({ implicit_grant_enabled: true, trusted_domains: [new URL(world.company).host] }, [
      'harbour',
      'lantern',
    ]);
    const { context, tab, complaints } = await world.person();
    await companyPage(world, tab, several);
    const popup = await openPopup(tab);
    await popup.getByRole('button', { name: 'Harbour Files' }).waitFor();
    await popup.keyboard.press('Tab');
    await popup.keyboard.press('Enter');
    await popup.getByRole('button', { name: 'Allow as Bea Birch' }).click();
    expect(await result(tab)).toMatchObject({ account: { account: 'Bea Birch' } });
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('tells the page that the user said no at the service', async () => {
    const { context, tab } = await world.person();
    await companyPage(world, tab, application);
    const popup = await openPopup(tab);
    await popup.getByRole('button', { name: 'Cancel' }).click();
    const refused = await result(tab);
    expect(refused).toMatchObject({ error: 'access_denied' });
    expect(refused).not.toHaveProperty('access_token');
    await context.close();
  });

  it('tells the page that the user cancelled in the chooser', async () => {
    const several = await world.application({ implicit_grant_enabled: true, trusted_domains: [new URL(world.company).host] }, [
      'harbour',
      'lantern',
    ]);
    const { context, tab } = await world.person();
    await companyPage(world, tab, several);
    const popup = await openPopup(tab);
    await popup.getByRole('button', { name: 'Cancel' }).click();
    expect(await result(tab)).toMatchObject({ error: 'access_denied' });
    await context.close();
  });

  it('a page that is not trusted gets no message; its pop-up explains what to do', async () => {
    const untrusting = await world.application({ implicit_grant_enabled: true });
    const { context, tab } = await world.person();
    await companyPage(world, tab, untrusting);
    const popup = await openPopup(tab);
    await popup.getByRole('heading', { name: 'This site may not do that yet' }).waitFor();
    await popup.getByText('Details for developers').click();
    await popup.getByText(`/v1/meta/applications/${untrusting.id}/trusted_domains`).waitFor();
    expect(await resultCount(tab)).toBe(0);
    await context.close();
  });

  it('a page that claims a trusted origin does not get the message', async () => {
    const trusting = await world.application({ implicit_grant_enabled: true, trusted_domains: ['app.example'] });
    const { context, tab } = await world.person();
    await tab.goto(world.company);
    const query = new URLSearchParams({
      client_id: trusting.id,
      response_type: 'token',
      redirect_uri: 'urn:ietf:wg:oauth:2.0:oob',
      state: '1',
      request_id: '1',
      origin: 'https://app.example',
    });
    await tab.evaluate("addEventListener('message', (event) => results.push(event.data))");
    const [popup] = await Promise.all([
      tab.waitForEvent('popup'),
      tab.evaluate(`void open(${JSON.stringify(`${world.url}/v1/oauth?${query.toString()}`)})`),
    ]);
    await popup.getByRole('button', { name: 'Allow as Ada Alder' }).click();
    await popup.getByRole('heading', { name: 'Connected' }).waitFor();
    expect(await resultCount(tab)).toBe(0);
    await context.close();
  });
});
