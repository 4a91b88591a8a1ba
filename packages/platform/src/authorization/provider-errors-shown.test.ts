import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ConnectApplication, ORIGIN, OUT_OF_BAND } from '../../test/connect-world.ts';
import { HostileWorld } from '../../test/hostile-world.ts';
import type { MisbehavingProvider } from '../../test/misbehaving-provider.ts';
import { Visitor } from '../../test/visitor.ts';

let hostile: HostileWorld;
let provider: MisbehavingProvider;
let application: ConnectApplication;
let accountId: number;
beforeAll(async () => {
  hostile = await HostileWorld.create();
  ({ provider } = hostile);
  application = await hostile.application(provider.definition('harbour'), {
    implicit_grant_enabled: true,
    trusted_domains: ['app.example:3000'],
    branding: { support_url: 'https://northwind.example/help' },
  });
  accountId = (await hostile.redeem(application, (await hostile.connect(application)).location)).json.account_id;
});
afterAll(async () => {
  await hostile[Symbol.asyncDispose]();
});
beforeEach(() => provider.behave());

const token = (text: string, status: number, type = 'application/json') =>
  provider.raw('/token', (_, response: ServerResponse) => response.writeHead(status, { 'content-type': type }).end(text));

/** The provider's fault, and what stands on the page: heading, a sentence that says what to do, the code for a developer. */
const faults: readonly [string, () => void, readonly [string, string, string]][] = [
  [
    'HTML for an answer',
    () => token('<script>alert(1)</script>', 200, 'text/html'),
    ['could not be connected', 'gave an answer that cannot be used', 'upstream.answer_malformed'],
  ],
  [
    'an error that is markup',
    () => token('{"error":"<script>alert(1)</script>","error_description":"<img src=x onerror=alert(1)>"}', 400),
    ['could not be connected', 'gave an answer that cannot be used', 'upstream.code_refused'],
  ],
  ['an outage', () => token('<h1>Down</h1>', 503, 'text/html'), ['does not answer', 'Wait a few minutes', 'upstream.unavailable']],
  ['too many requests', () => token('{}', 429), ['does not answer', 'Wait a few minutes', 'upstream.rate_limited']],
  [
    'a refused OAuth key',
    () => token('{"error":"invalid_client"}', 401),
    ['is not set up for Northwind', 'Trying again will not help', 'upstream.client_refused'],
  ],
  [
    'a no',
    () =>
      void provider.service.on('beforeAuthorizeRedirect', ({ url }: { url: URL }) => {
        url.searchParams.delete('code');
        url.searchParams.set('error', 'access_denied');
      }),
    ['Not connected', 'says that access was declined', 'upstream.access_denied'],
  ],
  [
    'an answer from somebody else',
    () =>
      void provider.service.on('beforeAuthorizeRedirect', ({ url }: { url: URL }) => url.searchParams.set('iss', 'https://evil.example')),
    ['could not be connected', 'so nothing was connected', 'upstream.issuer_mismatch'],
  ],
];

describe('C5 what a provider does wrong is shown to the person at the browser', () => {
  it.each(faults)('%s, on a page of its own', async (_, misbehave, [heading, sentence, code]) => {
    const url = await hostile.reconnectUrl(application, accountId);
    misbehave();
    const page = await hostile.connect(application, new Visitor(), url);
    expect([page.status >= 400, page.location]).toEqual([true, '']);
    expect(/<h1>(.*?)<\/h1>/.exec(page.text)![1]).toContain(heading);
    for (const text of [sentence, 'Harbour Files', 'Northwind', 'https://northwind.example/help', code]) expect(page.text).toContain(text);
    expect(page.text).not.toMatch(/alert\(1\)|onerror|Down/);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect([page.headers['cache-control'], page.headers['referrer-policy']]).toEqual(['no-store', 'no-referrer']);
    expect((await hostile.account(application, accountId)).json.health).toBe('healthy');
  });

  it.each(faults)('%s, in the window of the browser SDK', async (_, misbehave, [, sentence]) => {
    misbehave();
    const parameters = { response_type: 'token', redirect_uri: OUT_OF_BAND, request_id: '7', origin: ORIGIN };
    const page = await hostile.connect(application, new Visitor(), hostile.startUrl(application, parameters));
    expect(page.status).toBe(200);
    for (const text of [sentence, 'You can close this window', 'Northwind']) expect(page.text).toContain(text);
    expect(page.text).toMatch(/"error\\*":\\*"(?:server_error|temporarily_unavailable|access_denied)/);
    expect(page.text).not.toMatch(/alert\(1\)|onerror|Down/);
  });

  it('control: where nothing is wrong the page says Connected', async () => {
    const page = await hostile.connect(application, new Visitor(), await hostile.reconnectUrl(application, accountId));
    expect([page.status, /<h1>(.*?)<\/h1>/.exec(page.text)![1]]).toEqual([200, 'Connected']);
  });
});
