import { constantTimeEqual, epochSeconds, Secret } from '@bulkhead/base';
import {
  KLOUDLESS_SIGNATURE,
  signKloudlessWebhook,
  standardWebhookSecret,
  verifiesWebhook,
  WEBHOOK_ID,
  WEBHOOK_SIGNATURE,
  WEBHOOK_TIMESTAMP,
  type WebhookMessage,
  webhookMessage,
} from '@bulkhead/protocol';
import { webhookRefusals } from './webhook-refusals.ts';

/** The headers of a request, with names in lower case as `node:http` gives them; of `Headers`, use `Object.fromEntries(headers)`. */
export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyWebhookOptions {
  /** Of the webhook: `signing_secret` or `secret`, as shown when it was made or rotated. During a rotation, both. */
  readonly secrets: readonly string[];
  readonly headers: WebhookHeaders;
  /** The body as it came, before anything has parsed it. */
  readonly body: string;
  /** Milliseconds since the epoch; default: the system clock. */
  readonly now?: () => number;
}

/**
 * Standard Webhooks: the message of a call to your webhook, if it was signed with one of the secrets within five minutes of now. Throws a
 * `PlatformError` whose `code` is a `WebhookRefusal`. The same `data.id` may come again: remember it for a day, and answer 200.
 */
export function verifyWebhook({ secrets, headers, body, now = Date.now }: VerifyWebhookOptions): WebhookMessage {
  const signed = { id: one(headers[WEBHOOK_ID]), timestamp: one(headers[WEBHOOK_TIMESTAMP]), signature: one(headers[WEBHOOK_SIGNATURE]) };
  const standard = secrets.map((text) => (text.startsWith('bhs_') ? standardWebhookSecret(new Secret(text)) : new Secret(text)));
  if (!verifiesWebhook(standard, signed, body, epochSeconds({ now }))) throw webhookRefusals('webhook.signature_refused');
  const message = webhookMessage.safeParse(parsed(body));
  if (!message.success) throw webhookRefusals('webhook.malformed', { detail: message.error.message });
  return message.data;
}

/**
 * Kloudless v1: the account that something happened to, or null for a test, if the body was signed with one of the secrets (`secret`, not
 * `signing_secret`). Answer 200 with the id of your Application as body. There is no time in it: whoever saw a call can send it again.
 */
export function verifyKloudlessWebhook({ secrets, headers, body }: Omit<VerifyWebhookOptions, 'now'>): {
  readonly accountId: number | null;
} {
  const signature = Buffer.from(one(headers[KLOUDLESS_SIGNATURE]) ?? '');
  if (!secrets.some((text) => constantTimeEqual(Buffer.from(signKloudlessWebhook(new Secret(text), body)), signature)))
    throw webhookRefusals('webhook.signature_refused');
  if (body === '') return { accountId: null };
  const account = /^account=(\d{1,16})$/.exec(body)?.[1];
  if (account === undefined) throw webhookRefusals('webhook.malformed', { detail: 'no account' });
  return { accountId: Number(account) };
}

/** A header that comes twice is none: nobody knows which of them was signed. */
function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
