import { z } from 'zod';

/** What a Standard Webhook says: the body, as JSON. */
export const webhookMessage = z.object({
  type: z.string().meta({ examples: ['account.connected'] }),
  timestamp: z.iso.datetime().meta({ description: 'When it happened.' }),
  data: z.object({
    id: z.string().meta({ description: 'Of the event; also the `webhook-id`.' }),
    application_id: z.string(),
    account_id: z.number().int().nullable().meta({ description: 'Null: it is of the whole Application.' }),
    detail: z.record(z.string(), z.unknown()),
  }),
});
export type WebhookMessage = z.output<typeof webhookMessage>;

/** The type of the message that a test sends: it is no event and in no log. */
export const WEBHOOK_TEST = 'webhook.test';
