import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import * as harness from './egress.harness.ts';

const upstream = async (listener: RequestListener): Promise<string> => `127.0.0.1:${await harness.upstream(listener)}`;
const { echo, egressWith } = harness;

describe('a fetch for libraries', () => {
  it('takes what a library passes and answers with a Response', async () => {
    const host = await upstream(echo);
    const fetch = egressWith().customFetch({ policy: 'upstream', tenant: null });
    const response = await fetch(`http://${host}/token`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b c' }),
      headers: new Headers({ accept: 'application/json' }),
      redirect: 'manual',
    });
    expect(response).toMatchObject({ status: 200, ok: true, url: `http://${host}/token` });
    const seen = (await response.json()) as { method: string; headers: string[]; body: string };
    expect(seen).toMatchObject({ method: 'POST', body: 'a=b+c' });
    expect(seen.headers).toContain('application/x-www-form-urlencoded;charset=UTF-8');
  });

  it('takes a Request, and a URL', async () => {
    const host = await upstream(echo);
    const fetch = egressWith().customFetch({ policy: 'upstream', tenant: null });
    expect(await (await fetch(new Request(`http://${host}/x`, { method: 'POST', body: 'hi' }))).json()).toMatchObject({
      method: 'POST',
      url: '/x',
      body: 'hi',
    });
    expect(await (await fetch(new URL(`http://${host}/y`))).json()).toMatchObject({ method: 'GET', url: '/y' });
  });

  it.each([204, 205, 304])('answers %s without a body', async (status) => {
    const host = await upstream((_, response) => response.writeHead(status).end());
    const response = await egressWith().customFetch({ policy: 'upstream', tenant: null })(`http://${host}/`);
    expect([response.status, response.body]).toEqual([status, null]);
  });

  it('never follows a redirect, and refuses it where the library says so', async () => {
    const host = await upstream((_, response) => response.writeHead(302, { location: '/other' }).end());
    const fetch = egressWith().customFetch({ policy: 'upstream', tenant: null });
    expect((await fetch(`http://${host}/`)).status).toBe(302);
    expect((await fetch(`http://${host}/`, { redirect: 'follow' })).status).toBe(302);
    await expect(fetch(`http://${host}/`, { redirect: 'error' })).rejects.toMatchObject({ code: 'egress.unreachable' });
  });

  it('has the limits it was made with and the rules of every call', async () => {
    const host = await upstream((_, response) => response.end('x'.repeat(100)));
    const egress = egressWith();
    await expect(egress.customFetch({ policy: 'upstream', tenant: null, maxBytes: 99 })(`http://${host}/`)).rejects.toMatchObject({
      code: 'egress.too_large',
    });
    await expect(egress.customFetch({ policy: 'upstream', tenant: null })('https://user@127.0.0.1/')).rejects.toMatchObject({
      code: 'egress.url_invalid',
    });
    await expect(egress.customFetch({ policy: 'upstream', tenant: null })('https://10.0.0.1/')).rejects.toMatchObject({
      code: 'egress.refused',
    });
    await expect(
      egress.customFetch({ policy: 'upstream', tenant: null })(`http://${host}/`, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});
