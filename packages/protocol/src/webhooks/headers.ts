/** Standard Webhooks: the same id on every attempt at a message, so that a receiver can tell a repetition. */
export const WEBHOOK_ID = 'webhook-id';
/** Standard Webhooks: seconds since the epoch at which this attempt was signed. */
export const WEBHOOK_TIMESTAMP = 'webhook-timestamp';
/** Standard Webhooks: `v1,` and a base64 HMAC-SHA256; several, one per live secret, with a space between. */
export const WEBHOOK_SIGNATURE = 'webhook-signature';
/** Kloudless v1: base64 HMAC-SHA256 over the raw body. */
export const KLOUDLESS_SIGNATURE = 'x-kloudless-signature';
