import { type ApplicationId, defineId, type Secret } from '@bulkhead/base';
import {
  KLOUDLESS_SIGNATURE,
  signKloudlessWebhook,
  signWebhook,
  standardWebhookSecret,
  WEBHOOK_ID,
  WEBHOOK_SIGNATURE,
  WEBHOOK_TEST,
  WEBHOOK_TIMESTAMP,
  type WebhookMessage,
} from '@bulkhead/protocol';
import { findDeletion } from '../applications/index.ts';
import type { DeliveryKind, Endpoint, Message } from '../deliveries/index.ts';
import { appendEvent } from '../events/index.ts';
import type { Vault } from '../vault/index.ts';
import { type OpenedWebhook, openWebhooks, type WebhookFormat } from './webhook-store.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';

/** What an Application still sends after its end. */
const LAST_WORDS_MS = 30_000;

/** What `deliveries` needs to know of webhooks. Nobody else calls them: a trigger makes a delivery of each event. */
export function webhookDeliveries({ vault }: { vault: Vault }): DeliveryKind {
  return {
    kind: 'webhook',
    policy: 'webhook',
    async open(tx, endpointIds, now) {
      const { applicationId } = tx;
      // That it was deleted is the last thing an Application says, whether or not its rows are erased yet.
      const deletedAt = await findDeletion(tx, applicationId);
      if (deletedAt === undefined || (deletedAt !== null && now.getTime() - deletedAt.getTime() > LAST_WORDS_MS)) return new Map();
      const opened = await openWebhooks(tx, vault, { applicationId, ids: endpointIds, now });
      return new Map(
        [...opened].filter(([, { webhook }]) => webhook.active).map(([id, each]) => [id, webhookEndpoint(applicationId, each)]),
      );
    },
    async stopped(tx, { endpointId, reason, at }) {
      const { applicationId } = tx;
      await appendEvent(tx, { applicationId, type: 'webhook.disabled', accountId: null, at, data: { webhook_id: endpointId, reason } });
    },
  };
}

/** A webhook as something that can be called, in its own format. */
export function webhookEndpoint(applicationId: ApplicationId, { webhook, secrets }: OpenedWebhook): Endpoint {
  return webhook.format === 'kloudless' ? kloudlessEndpoint(applicationId, webhook.url, secrets) : standardEndpoint(webhook.url, secrets);
}

function standardEndpoint(url: string, secrets: readonly Secret[]): Endpoint {
  const standard = secrets.map(standardWebhookSecret);
  return {
    url,
    sign({ messageId, body }, now) {
      const timestamp = Math.floor(now.getTime() / 1_000);
      const signature = signWebhook(standard, { id: messageId, timestamp, body });
      return {
        headers: { [WEBHOOK_ID]: messageId, [WEBHOOK_TIMESTAMP]: String(timestamp), [WEBHOOK_SIGNATURE]: signature },
        confidential: [...signature.split(' ').map((each) => each.slice(each.indexOf(',') + 1)), ...revealed([...secrets, ...standard])],
      };
    },
  };
}

/** There is room for one signature: the oldest secret that is live makes it, as at Kloudless, until the receiver has had its time. */
function kloudlessEndpoint(applicationId: ApplicationId, url: string, secrets: readonly Secret[]): Endpoint {
  return {
    url,
    sign({ body }) {
      const signature = signKloudlessWebhook(secrets.at(-1)!, body);
      return { headers: { [KLOUDLESS_SIGNATURE]: signature }, confidential: [signature, ...revealed(secrets)] };
    },
    refuses: ({ status, body }) => (status === 200 && body.trim().replace(/^"(.*)"$/, '$1') === applicationId ? null : 'wrong_echo'),
  };
}

function revealed(secrets: readonly Secret[]): string[] {
  return secrets.map((secret) => secret.reveal());
}

const testId = defineId('tst');

/** What a test sends: to Kloudless's format an empty body, else a message that says it is one. */
export function newTestMessage({
  applicationId,
  format,
  now,
}: {
  applicationId: ApplicationId;
  format: WebhookFormat;
  now: Date;
}): Message {
  const messageId = testId.generate();
  if (format === 'kloudless') return { messageId, subject: WEBHOOK_TEST, contentType: FORM_TYPE, body: '' };
  const message: WebhookMessage = {
    type: WEBHOOK_TEST,
    timestamp: now.toISOString(),
    data: { id: messageId, application_id: applicationId, account_id: null, detail: {} },
  };
  return { messageId, subject: WEBHOOK_TEST, contentType: JSON_TYPE, body: JSON.stringify(message) };
}
