import { Secret } from '@bulkhead/base';
import { sign, verify } from '@octokit/webhooks-methods';
import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { type Sender, senders, type Sent } from './inbound.testkit.ts';
import { verifyInbound } from './scheme.ts';
import { type SchemeId, schemes } from './schemes.ts';

const SECRET = 'whsec_a_secret_of_both_sides';
const NOW = Date.parse('2026-03-01T12:00:00Z');
const { webhooks } = new Stripe('sk_test_nothing_is_called');
const stripeSignature = webhooks.signature!;
const bodies = ['{}', '{"id":"evt_1","type":"charge.failed"}', '{"text":"Grüße, 你好, 🙂"}', 'x'.repeat(100_000)];

function verdict(scheme: SchemeId, headers: Readonly<Record<string, string>>, body: string) {
  const request = { method: 'POST', url: 'https://hub.example/', header: (name: string) => headers[name] ?? null, body: Buffer.from(body) };
  return verifyInbound(schemes[scheme], request, [new Secret(SECRET)], new Date(NOW));
}

function madeBy(sender: Sender): Sent {
  return sender.send(sender.content('1'), { secret: SECRET, atMs: NOW, url: '' }, '1');
}

/** The header by which Stripe's own library would have a body believed. */
const stripeHeader = (payload: string, timestamp = NOW / 1000) => webhooks.generateTestHeaderString({ payload, secret: SECRET, timestamp });

describe("GitHub's own library (@octokit/webhooks-methods)", () => {
  test.each(bodies)('signs what is verified here, and verifies nothing else: %.40s', async (body) => {
    const signature = await sign(SECRET, body);
    expect(verdict('github', { 'x-hub-signature-256': signature }, body)).toBeNull();
    for (const other of [`${body} `, body.slice(1)]) {
      expect(await verify(SECRET, other, signature)).toBe(false);
      expect(verdict('github', { 'x-hub-signature-256': signature }, other)).toBe('signature differs');
    }
  });

  test('verifies what the tests here sign', async () => {
    const { headers, body } = madeBy(senders.github);
    expect(await verify(SECRET, body, headers['x-hub-signature-256']!)).toBe(true);
  });
});

describe("Stripe's own library (stripe)", () => {
  test.each(bodies)('signs what is verified here, and refuses what is refused here: %.40s', (body) => {
    const header = stripeHeader(body);
    const accepts = (payload: string, text = header): boolean => {
      try {
        return stripeSignature.verifyHeader(payload, text, SECRET, 300, undefined, NOW);
      } catch {
        return false;
      }
    };
    expect([accepts(body), verdict('stripe', { 'stripe-signature': header }, body)]).toEqual([true, null]);
    const others: readonly (readonly [string, string])[] = [
      [`${body} `, header],
      [body, header.replace(/^t=\d+/, `t=${NOW / 1000 - 1}`)],
      [body, header.replace('v1=', 'v0=')],
      [body, stripeHeader(body, NOW / 1000 - 301)],
    ];
    for (const [payload, text] of others) {
      expect(accepts(payload, text)).toBe(false);
      expect(verdict('stripe', { 'stripe-signature': text }, payload)).not.toBeNull();
    }
  });

  test('verifies what the tests here sign', () => {
    const { headers, body } = madeBy(senders.stripe);
    expect(stripeSignature.verifyHeader(body, headers['stripe-signature']!, SECRET, 300, undefined, NOW)).toBe(true);
  });
});
