import type { IncomingMessage, RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Egress } from './egress.ts';
import * as harness from './egress.harness.ts';
import type { EgressRequest } from './fetch.ts';

const get = { policy: 'upstream', tenant: null } satisfies EgressRequest;
const at = async (port: Promise<number>): Promise<string> => `127.0.0.1:${await port}`;
const upstream = (listener: RequestListener): Promise<string> => at(harness.upstream(listener));
const rawUpstream = (answer: string | Buffer, then: 'close' | 'stay' = 'close'): Promise<string> => at(harness.answering(answer, then));
const { echo, echoed, egressWith } = harness;

describe('redirects', () => {
  const credentials = { Authorization: 'Bearer secret', Cookie: 'a=1', 'X-Api-Key': 'secret', Accept: 'text/plain' };
  const seen: IncomingMessage[] = [];
  const to =
    (location: string, status = 302): RequestListener =>
    (request, response) => (seen.push(request), response.writeHead(status, { location }).end('moved'));
  afterEach(() => void seen.splice(0));

  it('are not followed unless asked for', async () => {
    const target = await upstream(echo);
    const host = await upstream(to(`http://${target}/`));
    expect(await egressWith().fetch(`http://${host}/`, get)).toMatchObject({ status: 302, url: `http://${host}/` });
  });

  it.each([301, 302, 303, 307, 308])('%s is followed on request, without any header that could hold a credential', async (status) => {
    const target = await upstream(echo);
    const host = await upstream(to(`http://${target}/next?x`, status));
    const answer = await egressWith().fetch(`http://${host}/`, { ...get, headers: credentials, redirects: 'follow-safe' });
    expect(answer.url).toBe(`http://${target}/next?x`);
    expect(echoed(answer.body).headers.join('|')).not.toMatch(/secret|cookie/i);
    expect(echoed(answer.body).headers).toContain('text/plain');
    // Control: the first hop did carry them.
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer secret', cookie: 'a=1', 'x-api-key': 'secret' });
  });

  it('lose the credential on the same host too', async () => {
    const host = await upstream((request, response) =>
      request.url === '/' ? to('next/../b')(request, response) : echo(request, response),
    );
    const answer = await egressWith().fetch(`http://${host}/`, { ...get, headers: credentials, redirects: 'follow-safe' });
    expect(echoed(answer.body)).toMatchObject({ url: '/b' });
    expect(echoed(answer.body).headers.join('|')).not.toContain('secret');
  });

  it.each([
    ['http://10.0.0.1/', 'egress.refused'],
    ['https://169.254.169.254/', 'egress.refused'],
    ['//[::1]/', 'egress.refused'],
    ['https://localhost:22/', 'egress.refused'],
    ['http://2852039166/', 'egress.refused'],
    ['file:///etc/passwd', 'egress.url_invalid'],
    ['gopher://127.0.0.1/', 'egress.url_invalid'],
    ['http://user@127.0.0.1/', 'egress.url_invalid'],
    ['https:127.0.0.1', 'egress.url_invalid'],
    ['http://\\127.0.0.1/', 'egress.url_invalid'],
    ['http://[', 'egress.url_invalid'],
  ])('to %s end in %s', async (location, code) => {
    const host = await upstream(to(location));
    await expect(egressWith().fetch(`http://${host}/`, { ...get, redirects: 'follow-safe' })).rejects.toMatchObject({ code });
  });

  it('to a listener of our own are refused', async () => {
    const own = await upstream(echo);
    const host = await upstream(to(`http://${own}/`));
    const call = (egress: Egress) => egress.fetch(`http://${host}/`, { ...get, redirects: 'follow-safe' });
    await expect(call(egressWith({ ownListeners: () => [{ host: '127.0.0.1', port: Number(own.split(':')[1]) }] }))).rejects.toMatchObject({
      code: 'egress.refused',
    });
    expect((await call(egressWith())).status).toBe(200);
  });

  it('of a request with a body or another method than GET and HEAD are returned, not followed', async () => {
    const host = await upstream(to('/next', 307));
    const egress = egressWith();
    expect((await egress.fetch(`http://${host}/`, { ...get, method: 'POST', body: 'x', redirects: 'follow-safe' })).status).toBe(307);
    expect((await egress.fetch(`http://${host}/`, { ...get, method: 'DELETE', redirects: 'follow-safe' })).status).toBe(307);
    expect(seen).toHaveLength(2);
  });

  it('in a circle end after five', async () => {
    const host = await upstream(to('/again'));
    await expect(egressWith().fetch(`http://${host}/`, { ...get, redirects: 'follow-safe' })).rejects.toMatchObject({
      code: 'egress.unreachable',
    });
    expect(seen).toHaveLength(6);
  });

  it('share one time limit', async () => {
    const last = await rawUpstream('', 'stay');
    const host = await upstream(to(`http://${last}/`));
    await expect(egressWith().fetch(`http://${host}/`, { ...get, timeoutMs: 80, redirects: 'follow-safe' })).rejects.toMatchObject({
      code: 'egress.timeout',
    });
  });
});
