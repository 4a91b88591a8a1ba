import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { silentLog } from '@bulkhead/base';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alder } from '../company/index.ts';
import { ask } from '../upstream/browser.testkit.ts';
import { type Receiver, startReceiver } from './index.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const APPLICATION = 'app0123456789abcdefghij';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver({ log: silentLog });
  receiver.expect(APPLICATION, alder, SECRET);
});
afterAll(() => receiver.close());

let count = 0;
function signed({ id = `evt_${++count}`, secret = SECRET, at = new Date(), text = '' } = {}) {
  const data = { id, application_id: APPLICATION, account_id: 7, detail: { note: '<b>bold</b>' } };
  const body = text || JSON.stringify({ type: 'account.connected', timestamp: new Date().toISOString(), data });
  const signature = new Webhook(secret).sign(id, at, body);
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)), 'webhook-signature': signature };
  return { headers, body };
}
const post = (call: ReturnType<typeof signed>, url = receiver.hookUrl(APPLICATION)) => ask(url, { method: 'POST', ...call });
const page = async () => (await ask(receiver.url)).text;

describe('the receiver', () => {
  it('takes what is signed, shows it once though it comes twice, and shows nothing of it as markup', async () => {
    const call = signed();
    expect([(await post(call)).status, (await post(call)).status]).toEqual([200, 200]);
    const text = await page();
    expect(text.match(new RegExp(`&quot;id&quot;: &quot;${call.headers['webhook-id']}&quot;`, 'g'))).toHaveLength(1);
    expect(text).toContain('&lt;b&gt;bold&lt;/b&gt;');
    expect(text).not.toContain('<b>bold');
    expect(text).not.toContain(SECRET);
  });

  it.each([
    ['of another secret', signed({ secret: `whsec_${Buffer.alloc(32, 8).toString('base64')}` }), 401],
    ['of an hour ago', signed({ at: new Date(Date.now() - 3_600_000) }), 401],
    ['with another body', { ...signed(), body: '{}' }, 401],
    ['without a signature', { ...signed(), headers: {} as ReturnType<typeof signed>['headers'] }, 401],
    ['signed, but no message', signed({ text: '{}' }), 400],
    ['of any size', signed({ text: 'x'.repeat(70_000) }), 413],
  ])('refuses a call %s', async (_, call, status) => {
    expect((await post(call)).status).toBe(status);
  });

  it('says that a webhook is gone of whose secret it knows nothing', async () => {
    expect((await post(signed(), receiver.hookUrl('appXXXXXXXXXXXXXXXXXXXX'))).status).toBe(410);
  });

  it('a forgery goes through the same check, and is pressed on its own page only', async () => {
    const forged = async () => (await page()).match(/webhook\.signature_refused<\/code>/g)?.length ?? 0;
    const before = await forged();
    expect((await ask(`${receiver.url}/forge`, { method: 'POST', headers: { origin: 'http://evil.example' } })).status).toBe(403);
    expect(await forged()).toBe(before);
    expect((await ask(`${receiver.url}/forge`, { method: 'POST', headers: { origin: receiver.url } })).status).toBe(303);
    expect(await forged()).toBe(before + 1);
    expect((await ask(receiver.url, { headers: { host: 'rebound.example' } })).status).toBe(421);
  });

  it('tells who follows what came after the last they saw, then what comes', async () => {
    await post(signed({ id: 'evt_seen' }));
    const last = Number(/data-last="(\d+)"/.exec(await page())![1]);
    await post(signed({ id: 'evt_missed' }));
    const request = get(`${receiver.url}/stream`, { headers: { 'last-event-id': String(last) } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.headers['content-type']).toBe('text/event-stream');
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await expect.poll(() => text).toContain('evt_missed');
    await post(signed({ id: 'evt_live' }));
    await expect.poll(() => text).toContain('evt_live');
    expect(text).not.toContain('evt_seen');
    expect(text.match(/^id: \d+$/gm)).toEqual([`id: ${last + 1}`, `id: ${last + 2}`]);
    request.destroy();
  });
});
