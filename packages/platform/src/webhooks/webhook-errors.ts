import { defineErrors } from '@bulkhead/base';

export const webhookErrors = defineErrors({
  'webhook.limit': {
    status: 400,
    wire: 'request_failed',
    text: 'An Application holds at most {limit} webhooks. Delete those that are no longer used.',
  },
  'webhook.inactive': {
    status: 400,
    wire: 'request_failed',
    text: 'The webhook is not active, so nothing is sent to it. Set `active` to true first.',
  },
});
