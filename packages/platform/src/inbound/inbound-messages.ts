import type { ApplicationId } from '@bulkhead/base';
import { z } from 'zod';
import { serviceIdSchema } from '../services/index.ts';
import type { InboundMessage } from './inbound-message-store.ts';
import type { InboundWebhook } from './inbound-webhook-store.ts';
import { schemeIds } from './schemes.ts';

// Not shorter: whoever guesses one may write into the event log. Dropbox's have 15 characters.
const secret = z.string().min(12).max(1024);
const scheme = z
  .enum(schemeIds)
  .meta({ description: "How the service proves that a message is its own; left out, the service's own way." });

export const inboundWebhookBody = z.strictObject({
  service: serviceIdSchema,
  scheme: scheme.optional(),
  secret,
  secondary_secret: secret.nullable().optional().meta({ description: 'As good as the first: for the time of a rotation, and for Box.' }),
});

export const inboundWebhookChanges = z.strictObject({
  scheme: scheme.optional(),
  secret: secret.optional(),
  secondary_secret: secret.nullable().optional(),
});

export const inboundWebhookAnswer = z.object({
  id: z.string(),
  service: z.string(),
  scheme: z.string(),
  url: z.string().meta({ description: 'Where the service is to report to.' }),
  has_secondary_secret: z.boolean(),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('inbound_webhook'),
  api: z.literal('meta'),
  href: z.string(),
});

/** `base` is the public URL. */
export function inboundWebhookShape(row: InboundWebhook, applicationId: ApplicationId, base: string): z.input<typeof inboundWebhookAnswer> {
  return {
    id: row.inboundWebhookId,
    service: row.service,
    scheme: row.scheme,
    url: `${base}/v1/inbound/${applicationId}/${row.service}`,
    has_secondary_secret: row.hasSecondarySecret,
    created: row.createdAt.toISOString(),
    modified: row.modifiedAt.toISOString(),
    type: 'inbound_webhook',
    api: 'meta',
    href: `${base}/v1/meta/applications/${applicationId}/inbound_webhooks/${row.inboundWebhookId}`,
  };
}

export const listedMessageAnswer = z.object({
  id: z.string(),
  service: z.string(),
  event: z.string().nullable().meta({ description: "The service's own word for what happened." }),
  delivery_id: z.string().nullable().meta({ description: "The service's id of the delivery or the event." }),
  accounts: z.array(z.int()).meta({ description: 'The accounts it concerns, of those that are connected.' }),
  created: z.iso.datetime(),
  expires: z.iso.datetime(),
  type: z.literal('inbound_message'),
  api: z.literal('events'),
});

export const messageAnswer = listedMessageAnswer.extend({
  payload: z.unknown().meta({ description: 'What the service sent, read from JSON or a form, without what opens anything there.' }),
});

export function listedMessageShape(message: InboundMessage): z.input<typeof listedMessageAnswer> {
  return {
    id: message.messageId,
    service: message.service,
    event: message.type,
    delivery_id: message.deliveryId,
    accounts: [...message.accountIds],
    created: message.receivedAt.toISOString(),
    expires: message.expiresAt.toISOString(),
    type: 'inbound_message',
    api: 'events',
  };
}
