import { defineErrors } from '@bulkhead/base';

const refusals = {
  'webhook.signature_refused': {
    status: 401,
    wire: 'unauthorized',
    text: 'The webhook was not signed with a secret of yours, or not in the last minutes.',
  },
  'webhook.malformed': { status: 400, wire: 'bad_request', text: 'The webhook is signed, but its body is none that Bulkhead sends.' },
} as const;

/** Why a webhook was not accepted. Branch on it: `error.code`. */
export type WebhookRefusal = keyof typeof refusals;

export const webhookRefusals = defineErrors<WebhookRefusal>(refusals);
