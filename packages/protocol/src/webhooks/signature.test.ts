import { Secret } from '@bulkhead/base';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { signKloudlessWebhook, signWebhook, standardWebhookSecret, verifiesWebhook } from './signature.ts';

/** The vector that the standard's libraries test themselves with. */
const vector = {
  secret: new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1614265330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const other = new Secret('whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
const headers = { id: vector.id, timestamp: String(vector.timestamp), signature: vector.signature };

describe('W4: Standard Webhooks', () => {
  test('the published vector is what we sign', () => {
    expect(signWebhook([vector.secret], vector)).toBe(vector.signature);
    expect(verifiesWebhook([vector.secret], headers, vector.body, vector.timestamp)).toBe(true);
  });

  test('the standard library verifies what we sign with two live secrets, by either; ours verifies what it signs', () => {
    const now = new Date();
    const timestamp = Math.floor(now.getTime() / 1_000);
    const signature = signWebhook([other, vector.secret], { ...vector, timestamp });
    for (const secret of [other, vector.secret]) {
      const theirs = new Webhook(secret.reveal());
      const sent = { 'webhook-id': vector.id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
      expect(theirs.verify(vector.body, sent)).toEqual({ test: 2432232314 });
      const made = { id: vector.id, timestamp: String(timestamp), signature: theirs.sign(vector.id, now, vector.body) };
      expect(verifiesWebhook([secret], made, vector.body, timestamp)).toBe(true);
    }
    const third = new Webhook(standardWebhookSecret(new Secret('bhs_something')).reveal());
    expect(() =>
      third.verify(vector.body, { 'webhook-id': vector.id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature }),
    ).toThrow();
  });

  const { timestamp } = vector;
  test.each([
    ['another secret', { secrets: [other] }],
    ['no secret', { secrets: [] }],
    ['another body', { body: '{"test": 2432232315}' }],
    ['another id', { headers: { ...headers, id: 'msg_other' } }],
    ['no id', { headers: { ...headers, id: '' } }],
    ['another timestamp', { headers: { ...headers, timestamp: String(timestamp + 1) } }],
    ['a timestamp that is no number', { headers: { ...headers, timestamp: `${timestamp}.0` } }],
    ['no timestamp', { headers: { ...headers, timestamp: undefined } }],
    ['no signature', { headers: { ...headers, signature: undefined } }],
    ['another version', { headers: { ...headers, signature: vector.signature.replace('v1,', 'v1a,') } }],
    ['a signature cut short', { headers: { ...headers, signature: vector.signature.slice(0, -2) } }],
    ['301 s later', { now: timestamp + 301 }],
    ['301 s before', { now: timestamp - 301 }],
  ])('%s is refused', (_, changed: object) => {
    const given = { secrets: [vector.secret], headers, body: vector.body, now: timestamp, ...changed };
    expect(verifiesWebhook(given.secrets, given.headers, given.body, given.now)).toBe(false);
    // Control: unchanged, and at the ends of the window.
    for (const now of [timestamp, timestamp + 300, timestamp - 300])
      expect(verifiesWebhook([other, vector.secret], headers, vector.body, now)).toBe(true);
  });

  test('the secret for its libraries is 32 bytes, and not the text of ours', () => {
    const made = standardWebhookSecret(new Secret('bhs_something')).reveal();
    expect(made).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(made).not.toContain(Buffer.from('bhs_something').toString('base64'));
  });
});

test("Kloudless's signature is the base64 HMAC-SHA256 of the raw body, of the empty string for a test", () => {
  // RFC 4231 §4.3, test case 2.
  expect(Buffer.from(signKloudlessWebhook(new Secret('Jefe'), 'what do ya want for nothing?'), 'base64').toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  // As `openssl dgst -sha256 -hmac key` makes it.
  expect(signKloudlessWebhook(new Secret('key'), '')).toBe('XV0TlWPJW1lnub2ajJsjOp3ttFByeUzSMtwbdIMmB9A=');
});
