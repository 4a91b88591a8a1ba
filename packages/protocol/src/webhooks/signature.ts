import { constantTimeEqual, hmacSha256, Secret } from '@bulkhead/base';

const PREFIX = 'whsec_';
const VERSION = 'v1,';
/** How far the timestamp may lie from now, either way, in seconds: what the standard's own libraries allow. */
export const WEBHOOK_TOLERANCE_SECONDS = 300;
const KEY_LABEL = 'bulkhead standard-webhooks v1';

/**
 * The `whsec_…` form of a webhook's secret, as the libraries of Standard Webhooks want it: 32 bytes, made of the `bhs_…` text by one
 * HMAC, so that one secret serves both formats and neither signature is one of the other.
 */
export function standardWebhookSecret(secret: Secret): Secret {
  return new Secret(PREFIX + hmacSha256(secret.reveal(), KEY_LABEL).toString('base64'));
}

function keyOf(standardSecret: Secret): Buffer {
  const text = standardSecret.reveal();
  return Buffer.from(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text, 'base64');
}

export interface WebhookContent {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  /** As sent, byte for byte. */
  readonly body: string;
}

/** Standard Webhooks: the value of `webhook-signature`, one signature per `whsec_…` secret. */
export function signWebhook(standardSecrets: readonly Secret[], { id, timestamp, body }: WebhookContent): string {
  return standardSecrets.map((secret) => VERSION + hmacSha256(keyOf(secret), `${id}.${timestamp}.${body}`).toString('base64')).join(' ');
}

/**
 * Standard Webhooks: whether one of the signatures was made with one of the secrets, no longer than `WEBHOOK_TOLERANCE_SECONDS` from
 * `now` (seconds since the epoch). `body` as received, before anything has parsed it.
 */
export function verifiesWebhook(
  standardSecrets: readonly Secret[],
  headers: { readonly id: string | undefined; readonly timestamp: string | undefined; readonly signature: string | undefined },
  body: string,
  now: number,
): boolean {
  const { id, timestamp, signature } = headers;
  if (!id || signature === undefined || timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return false;
  const seconds = Number(timestamp);
  if (Math.abs(now - seconds) > WEBHOOK_TOLERANCE_SECONDS) return false;
  const given = signature.split(' ').filter((each) => each.startsWith(VERSION));
  return standardSecrets.some((secret) => {
    const expected = Buffer.from(signWebhook([secret], { id, timestamp: seconds, body }));
    return given.some((each) => constantTimeEqual(expected, Buffer.from(each)));
  });
}

/** Kloudless v1: base64 HMAC-SHA256 of the raw body, keyed with the text of the webhook's secret. A test signs the empty string. */
export function signKloudlessWebhook(secret: Secret, body: string): string {
  return hmacSha256(secret.reveal(), body).toString('base64');
}
