import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Answer, type PassthroughWorld, usePassthroughWorld } from '../../test/passthrough-world.ts';

let world: PassthroughWorld['world'];
let upstream: PassthroughWorld['upstream'];
let other: PassthroughWorld['other'];
let application: PassthroughWorld['application'];
let account: number;
let key: PassthroughWorld['key'];
let call: PassthroughWorld['call'];

usePassthroughWorld((made) => {
  ({ world, upstream, other, application, account, key, call } = made);
});

const proxy = (path: string) => `/v1/accounts/${account}/proxy${path}`;
const raw = (uri: string, extra: Record<string, string> = {}) =>
  call('POST', `/v1/accounts/${account}/raw`, { ...key, 'x-kloudless-raw-uri': uri, ...extra });

describe('what a caller must not reach', () => {
  test("another Application's account answers exactly like a missing one", async () => {
    const stranger = world.apiKey(await world.application());
    const [foreign, missing] = [await call('GET', proxy('/x'), stranger), await call('GET', '/v1/accounts/123456789012/proxy/x', stranger)];
    const without = (answer: Answer) => answer.body.replace(/"id":"[^"]+"/, '');
    expect(foreign.status).toBe(404);
    expect(without(foreign)).toBe(without(missing));
    expect(upstream.seen).toEqual([]);
  });

  test('another account of the same Application is nothing to a token', async () => {
    const second = await world.addAccount(application, 'harbour', { accessToken: new Secret('access-2'), kept: {} });
    expect((await call('GET', proxy('/x'), world.bearer(application, second))).status).toBe(404);
    expect((await call('GET', '/v1/accounts/me/proxy/x', key)).status).toBe(404);
    expect(upstream.seen).toEqual([]);
  });

  test('a switched-off account', async () => {
    await world.database.database.withTenant(application, (tx) =>
      tx.execute(sql`update accounts set active = false where application_id = ${application}`),
    );
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 403, code: 'passthrough.account_inactive' });
  });

  test('an account whose service was removed, although the catalogue might have the name', async () => {
    await world.database.database.withTenant(application, (tx) =>
      tx.execute(sql`delete from custom_services where application_id = ${application}`),
    );
    expect(await call('GET', proxy('/x'))).toMatchObject({ status: 409, code: 'passthrough.service_gone' });
  });
});

describe("P1: the credential goes to the service's scheme, host and port", () => {
  const elsewhere = (): string[] => {
    const { host, port } = new URL(other.url);
    return [
      `/@${host}/`,
      `//${host}/`,
      `///${host}/`,
      `/\\${host}/`,
      `/\\\\${host}/`,
      `/%5C%5C${host}/`,
      `/..//${host}/`,
      `/../../../${host}`,
      `/%2e%2e/%2e%2e//${host}`,
      `/%252e%252e/x`,
      `/http://${host}/`,
      `/:${port}/`,
      `/.${host}/`,
      `/?@${host}/`,
      `/?url=${other.url}`,
      `/;@${host}/`,
      `/%00@${host}`,
      `/%0d%0aHost:%20${host}`,
      `/x%23@${host}`,
      `/${encodeURIComponent(other.url)}`,
      `/%2F%2F${host}`,
      `/%ff%fe`,
      `/..;/..;/x`,
      `/.%2e/.%2e/`,
      `/%c0%ae%c0%ae/`,
      `//${host}@${host}/`,
    ];
  };

  test('whatever path is proxied', async () => {
    for (const path of elsewhere()) {
      const before = upstream.seen.length;
      const answer = await call('GET', proxy(path));
      expect([200, 400, 404], path).toContain(answer.status);
      if (answer.status === 200) {
        expect(upstream.seen[before]?.target, path).toBe(`/api${path}`);
        expect(upstream.seen[before]?.headers.host, path).toBe(upstream.url.slice(7));
      } else {
        expect(upstream.seen.length, path).toBe(before);
      }
    }
    expect(other.seen).toEqual([]);
    expect(upstream.seen.length).toBeGreaterThan(5);
  });

  test('whatever address /raw is given', async () => {
    const { host, port } = new URL(other.url);
    const mine = new URL(upstream.url);
    const absolute = [
      other.url,
      `${other.url}/api/x`,
      `http://${host}`,
      `https://${mine.host}/api/x`,
      `${upstream.url}@${host}/`,
      `http://user:pass@${mine.host}/`,
      `http://${mine.hostname}:${port}/`,
      `${upstream.url}.evil.example/`,
      `${upstream.url}0/`,
      `http:/${host}/`,
      `http:${host}`,
      `//${host}/`,
      `http:\\\\${host}`,
      `${upstream.url}\\@${host}/`,
      `file:///etc/passwd`,
      `javascript:1`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0x7f.1:${port}/`,
      `http://127.1:${port}/`,
      `HTTP://${host}/`,
      `${upstream.url}%2F..@${host}`,
      `\u00a0${other.url}`,
      `x ${other.url}`,
      `http://${mine.host}\t@${host}/`,
      `${upstream.url}/api/../../x`,
      `${upstream.url}/%2e%2e/x`,
      `${upstream.url}#@${host}`,
      `api/x`,
      `@${host}/`,
      `:${port}/`,
      `.${host}/`,
    ];
    for (const uri of [...absolute, ...elsewhere()]) {
      const before = upstream.seen.length;
      const answer = await raw(Buffer.from(uri).toString('latin1')).catch((error: unknown) => (error as { code?: string }).code);
      if (typeof answer === 'string') continue; // not a header that Node sends
      if (answer?.status === 200) expect(upstream.seen[before]?.headers.host, uri).toBe(mine.host);
      else expect([400, 404], uri).toContain(answer?.status);
    }
    expect(other.seen).toEqual([]);
    expect((await raw(`${upstream.url}/api/x?y=1`)).status).toBe(200);
    expect(upstream.seen.at(-1)?.target).toBe('/api/x?y=1');
  });

  test('and an address of another origin is refused, not called here instead', async () => {
    const mine = new URL(upstream.url);
    const before = upstream.seen.length;
    const others = [
      `${upstream.url}.evil.example/`,
      `${upstream.url}@evil.example/`,
      `${upstream.url}0/`,
      `https://${mine.host}/`,
      other.url,
    ];
    for (const uri of others) expect((await raw(uri)).status, uri).toBe(400);
    expect(upstream.seen.length).toBe(before);
    expect((await raw(`${upstream.url}/api/x`)).status).toBe(200);
  });

  test('whatever header says otherwise', async () => {
    const { host } = new URL(other.url);
    await call('GET', proxy('/x'), {
      ...key,
      forwarded: `host=${host}`,
      'x-forwarded-host': host,
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'https',
      via: '1.1 me',
      'x-real-ip': '1.2.3.4',
      cookie: 'session=1',
      'proxy-authorization': 'Basic x',
      connection: 'close, authorization, x-drop',
      'x-drop': '1',
      'keep-alive': '5',
      te: 'trailers',
      upgrade: 'h2c',
      'x-kloudless-source': 'test',
      'sec-fetch-site': 'cross-site',
      'x-stays': '1',
    });
    const seen = upstream.seen[0]!;
    for (const name of [
      'forwarded',
      'x-forwarded-host',
      'x-forwarded-for',
      'x-forwarded-proto',
      'via',
      'x-real-ip',
      'cookie',
      'proxy-authorization',
      'te',
      'upgrade',
      'x-kloudless-source',
      'sec-fetch-site',
    ])
      expect(seen.headers, name).not.toHaveProperty(name);
    expect(seen.headers).toMatchObject({ host: upstream.url.slice(7), authorization: 'Bearer access-1', 'x-stays': '1' });
    expect(JSON.stringify(seen.raw)).not.toContain(key['authorization']);
  });

  test('for any path that can be written', async () => {
    const piece = fc.constantFrom(
      '/',
      '//',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      '@',
      ':',
      '?',
      '&',
      '=',
      ';',
      '%',
      '%00',
      '%25',
      'a',
      '127.0.0.1',
      'http://',
      '~',
      '!',
      "'",
      '"',
      '<',
      '|',
      '^',
      '{',
      '%C3%A9',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        const path = `/${pieces.join('')}`;
        const before = upstream.seen.length;
        const answer = await call('GET', proxy(path));
        if (answer.status !== 200) return answer.status === 400 && upstream.seen.length === before;
        return upstream.seen[before]?.target === `/api${path}` && upstream.seen[before].headers.host === upstream.url.slice(7);
      }),
      { numRuns: 150 },
    );
  });
});
