import { defineErrors } from '@bulkhead/base';

export const rateErrors = defineErrors({
  'rate.exceeded': {
    status: 429,
    wire: 'too_many_requests',
    oauth: 'temporarily_unavailable',
    text: 'More than {quota} requests of the class "{rateClass}" came from this {party} within {window} seconds. Wait as long as Retry-After says; what is left stands in RateLimit on every answer.',
  },
});
