import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallContext, PLACE } from '../host.ts';
import api, { NeedsAuthenticationError, NoProductError } from './api.ts';

const ACCOUNTS = 'http://host.bulkhead.internal/accounts';
const account = (id: number, service: string, active = true) => ({
  id,
  service,
  account: `name ${id}`,
  end_user: null,
  active,
  health: 'ok',
});

const places = globalThis as Record<symbol, unknown>;
let userId: string | null;
let asked: string[];
beforeEach(() => {
  userId = null;
  asked = [];
  places[PLACE] = {
    variables: {},
    context: () => ({ userId }) as CallContext,
    fetch: async (url: string) => {
      asked.push(url.slice(ACCOUNTS.length));
      if (url.includes('/proxy')) return new Response('from the service');
      const service = new URL(url).searchParams.get('service');
      return Response.json({
        accounts: [account(1, 'github', false), account(2, 'github'), account(3, 'github')].filter((each) => each.service === service),
      });
    },
  };
});
afterEach(() => {
  delete places[PLACE];
});

describe('withProvider', () => {
  it('as the App: the accounts of the Application, and calls by one of them', async () => {
    const github = api.asApp().withProvider('github');
    expect(await github.hasCredentials()).toBe(true);
    expect((await github.listAccounts()).map(({ id, displayName }) => [id, displayName])).toEqual([
      ['2', 'name 2'],
      ['3', 'name 3'],
    ]);
    expect(await (await github.fetch('user/repos?page=1')).text()).toBe('from the service');
    await github.asAccount('3').fetch('/user');
    expect(asked.filter((url) => url.includes('proxy'))).toEqual(['/2/proxy/user/repos?page=1', '/3/proxy/user']);
    expect(await github.asAccount('1').hasCredentials()).toBe(false);
  });

  it('as a user: only in a call for that person', async () => {
    const own = (id?: string) => api.asUser(id).withProvider('github').hasCredentials();
    expect(await own()).toBe(false);
    userId = 'ada';
    expect([await own(), await own('ada'), await own('bob')]).toEqual([true, true, false]);
  });

  it('without an account asks for one, by an error that names the service', async () => {
    const none = api.asApp().withProvider('gitlab');
    expect(await none.getAccount()).toBeUndefined();
    await expect(none.requestCredentials(['read'])).rejects.toMatchObject({
      name: 'NEEDS_AUTHENTICATION_ERR',
      serviceKey: 'gitlab',
      options: { scopes: ['read'] },
    });
    await expect(none.fetch('/x')).rejects.toBeInstanceOf(NeedsAuthenticationError);
  });
});

it('a request to a product is refused, with what to do instead', async () => {
  await expect(api.asApp().requestJira(api.route`/rest/api/3/issue/${'A/../B'}`)).rejects.toBeInstanceOf(NoProductError);
  await expect(api.asUser().requestConfluence('/x')).rejects.toThrow(
    'asUser().requestConfluence: no Atlassian product stands behind this host',
  );
  expect(api.route`/rest/api/3/issue/${'A/../B'}?${new URLSearchParams({ a: '1' })}`.value).toBe('/rest/api/3/issue/A%2F..%2FB?a=1');
});
