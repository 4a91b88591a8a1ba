import { Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { verifyInbound } from './scheme.ts';
import { type SchemeId, schemes } from './schemes.ts';

interface Published {
  readonly scheme: SchemeId;
  /** Who says so. */
  readonly from: string;
  readonly secret: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly url?: string;
  /** When it was signed. */
  readonly at?: string;
}

const BOX_HEADERS = {
  'box-delivery-id': 'f96bb54b-ee16-4fc5-aa65-8c2d9e5b546f',
  'box-delivery-timestamp': '2020-01-01T00:00:00-07:00',
  'box-signature-algorithm': 'HmacSHA256',
  'box-signature-version': '1',
};
const BOX_BODY =
  '{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}';

/** Signatures that others made: the services in their documentation and the tests of their libraries, else those libraries when asked. */
const published: readonly Published[] = [
  {
    scheme: 'github',
    from: 'docs.github.com, "Validating webhook deliveries"; @octokit/webhooks-methods 6.0.0 makes the same',
    secret: "It's a Secret to Everybody",
    body: 'Hello, World!',
    headers: { 'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
  },
  {
    scheme: 'slack',
    from: 'api.slack.com, "Verifying requests from Slack"',
    secret: '8f742231b10e8888abcd99yyyzzz85a5',
    body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    headers: {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
    at: '2018-07-12T18:36:58Z',
  },
  {
    scheme: 'atlassian',
    from: 'developer.atlassian.com, Jira Cloud "Webhooks", and support.atlassian.com, Bitbucket "Manage webhooks"',
    secret: "It's a Secret to Everybody",
    body: 'Hello World!',
    headers: { 'x-hub-signature': 'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9' },
  },
  {
    scheme: 'box',
    from: "github.com/box/box-node-sdk, testWebhookValidation (the primary key's)",
    secret: 'SamplePrimaryKey',
    body: BOX_BODY,
    headers: { ...BOX_HEADERS, 'box-signature-primary': '6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=' },
    at: '2020-01-01T07:00:00Z',
  },
  {
    scheme: 'box',
    from: "the same (the secondary key's)",
    secret: 'SampleSecondaryKey',
    body: BOX_BODY,
    headers: { ...BOX_HEADERS, 'box-signature-secondary': 'v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo=' },
    at: '2020-01-01T07:00:00Z',
  },
  {
    scheme: 'stripe',
    from: 'the npm package stripe 23.1.0, webhooks.generateTestHeaderString',
    secret: 'whsec_test_secret',
    body: '{"id":"evt_test_webhook","object":"event","type":"payment_intent.succeeded","account":"acct_1"}',
    headers: { 'stripe-signature': 't=1492774577,v1=3df1f5da8f33202685d0f1d3bc43add1f05ccf6be61109edc36578515eb55766' },
    at: '2017-04-21T11:36:17Z',
  },
  {
    scheme: 'hubspot',
    from: 'the npm package @hubspot/api-client 14.0.1, Signature.getSignature, version v3',
    secret: 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy',
    body: '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]',
    headers: {
      'x-hubspot-request-timestamp': '1564113600000',
      'x-hubspot-signature-v3': '2+2F7rew1kg47A73GVa9LmHV3t+uZG2gM0UdSKVTEDE=',
    },
    url: 'https://www.example.com/webhook_uri?note=a:b',
    at: '2019-07-26T04:00:00Z',
  },
  {
    scheme: 'shopify',
    from: 'the npm package @shopify/shopify-api 15.0.0: webhooks.validate takes this one, and not with another first character',
    secret: 'hush-shopify-client-secret',
    body: '{"id":820982911946154508,"email":"jon@example.com","total_price":"254.98","note":"Grüße"}',
    headers: { 'x-shopify-hmac-sha256': 'u/YoM3BMLM9g0TxYqUtZcPhapgiJtUXWOd+af16LKrM=' },
  },
];

function verdict({ scheme, secret, body, headers, url = 'https://hub.example/', at = '2026-01-01T00:00:00Z' }: Published) {
  return verifyInbound(
    schemes[scheme],
    { method: 'POST', url, header: (name) => headers[name] ?? null, body: Buffer.from(body) },
    [new Secret(secret)],
    new Date(at),
  );
}

describe.each(published)('$scheme, $from', (example) => {
  test('is verified', () => {
    expect(verdict(example)).toBeNull();
  });

  test('is not, with another body, secret or hour', () => {
    expect(verdict({ ...example, body: `${example.body} ` })).toBe('signature differs');
    expect(verdict({ ...example, secret: `${example.secret} ` })).toBe('signature differs');
    if (example.at !== undefined) expect(verdict({ ...example, at: '2026-01-01T00:00:00Z' })).toBe('too old');
  });
});
