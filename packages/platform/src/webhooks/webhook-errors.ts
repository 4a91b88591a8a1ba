import { defineErrors } from '@bulkhead/base';

export const webhookErrors = defineErrors({
  'webhook.limit': { status: 400, wire: 'request_failed', text: 'An Application holds at most {limit} webhooks.' },
});
