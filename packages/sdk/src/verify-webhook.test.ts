import { randomBytes } from 'node:crypto';
import { Secret } from '@bulkhead/base';
import { signKloudlessWebhook, signWebhook, standardWebhookSecret } from '@bulkhead/protocol';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { verifyKloudlessWebhook, verifyWebhook, type WebhookHeaders } from './index.ts';

const secret = `bhs_AAAAAAAAAAAAAAAAAAAAAA_${randomBytes(24).toString('hex').slice(0, 49)}`;
const signing = standardWebhookSecret(new Secret(secret)).reveal();
const other = standardWebhookSecret(new Secret(`${secret}x`)).reveal();
const at = 1_790_000_000;
const message = {
  type: 'account.connected',
  timestamp: '2026-09-21T14:13:20.000Z',
  data: { id: 'evt1', application_id: 'appAAAAAAAAAAAAAAAAAAAAAA', account_id: 7, detail: { service: 'gdrive' } },
};
const body = JSON.stringify(message);

interface Call {
  readonly secrets: readonly string[];
  readonly headers: WebhookHeaders;
  readonly body: string;
}

const good = (text = body, secrets = [signing]): Call => ({
  secrets: [signing],
  headers: {
    'webhook-id': 'evt1',
    'webhook-timestamp': String(at),
    'webhook-signature': signWebhook(
      secrets.map((each) => new Secret(each)),
      { id: 'evt1', timestamp: at, body: text },
    ),
  },
  body: text,
});
const verified = (call: Call, seconds = at) => verifyWebhook({ ...call, now: () => seconds * 1_000 });

describe('a Standard Webhook', () => {
  test("is the message, whoever signed it: ours or the standard's library", () => {
    expect(verified(good())).toEqual(message);
    const signature = new StandardWebhook(signing).sign('evt1', new Date(at * 1_000), body);
    expect(verified({ ...good(), headers: { ...good().headers, 'webhook-signature': signature } })).toEqual(message);
  });

  test('is good under either secret during a rotation, and under the text that the secret was shown as', () => {
    expect(verified({ ...good(body, [other, signing]), secrets: [signing] })).toEqual(message);
    expect(verified({ ...good(), secrets: [other, signing] })).toEqual(message);
    expect(verified({ ...good(), secrets: [secret] })).toEqual(message);
  });

  const withHeader = (name: string, value: string | string[] | undefined): Call => ({
    ...good(),
    headers: { ...good().headers, [name]: value },
  });
  test.each<[string, Call, number?]>([
    ['another body', { ...good(), body: body.replace('7', '8') }],
    ['a space more', { ...good(), body: `${body} ` }],
    ['another id', withHeader('webhook-id', 'evt2')],
    ['no id', withHeader('webhook-id', undefined)],
    ['two ids', withHeader('webhook-id', ['evt1', 'evt1'])],
    ['another time', withHeader('webhook-timestamp', String(at + 1))],
    ['no number as time', withHeader('webhook-timestamp', 'now')],
    ['no signature', withHeader('webhook-signature', undefined)],
    ['a cut signature', withHeader('webhook-signature', String(good().headers['webhook-signature']).slice(0, -2))],
    ['a signature of another version', withHeader('webhook-signature', String(good().headers['webhook-signature']).replace('v1,', 'v2,'))],
    ['the secret of another webhook', { ...good(), secrets: [other] }],
    ['no secret at all', { ...good(), secrets: [] }],
    ['a time long ago', good(), at + 301],
    ['a time to come', good(), at - 301],
  ])('is refused with %s', (_, call, seconds) => {
    expect(() => verified(call, seconds)).toThrow(expect.objectContaining({ code: 'webhook.signature_refused' }));
  });

  test.each(['{', '{}', '[]', body.replace('account_id', 'account')])('that is signed and says %s is refused as malformed', (text) => {
    expect(() => verified(good(text))).toThrow(expect.objectContaining({ code: 'webhook.malformed' }));
  });
});

describe('a webhook in the format of Kloudless', () => {
  const call = (text: string, key = secret): Call => ({
    secrets: [secret],
    headers: { 'x-kloudless-signature': signKloudlessWebhook(new Secret(key), text) },
    body: text,
  });

  test('names the account, or nobody where it is a test', () => {
    expect(verifyKloudlessWebhook(call('account=4711'))).toEqual({ accountId: 4_711 });
    expect(verifyKloudlessWebhook(call(''))).toEqual({ accountId: null });
    expect(verifyKloudlessWebhook({ ...call('account=4711'), secrets: ['another', secret] })).toEqual({ accountId: 4_711 });
  });

  test.each<[string, Call, string]>([
    ['another body', { ...call('account=1'), body: 'account=2' }, 'webhook.signature_refused'],
    ['another secret', call('account=1', `${secret}x`), 'webhook.signature_refused'],
    ['no signature', { ...call('account=1'), headers: {} }, 'webhook.signature_refused'],
    ['something else that is signed', call('account=x'), 'webhook.malformed'],
  ])('is refused with %s', (_, refused, code) => {
    expect(() => verifyKloudlessWebhook(refused)).toThrow(expect.objectContaining({ code }));
  });
});
