import { defineErrors } from '@bulkhead/base';

export const webtriggerErrors = defineErrors({
  'webtrigger.not_found': {
    status: 404,
    wire: 'not_found',
    text: 'There is no web trigger at this address, or the request does not prove that it may call it.',
  },
  'webtrigger.replayed': { status: 409, wire: 'conflict', text: 'This signed request has called before. Sign a new one.' },
  'webtrigger.busy': { status: 429, wire: 'too_many_requests', text: 'Too many calls of this web trigger. Try again in a moment.' },
  'webtrigger.unavailable': { status: 503, wire: 'service_not_available', text: 'The web trigger cannot be called at the moment.' },
  'webtrigger.failed': { status: 502, wire: 'bad_gateway', text: 'The web trigger gave no answer.' },
  'webtrigger.late': { status: 504, wire: 'gateway_timeout', text: 'The web trigger gave no answer in time.' },
  'webtrigger.unknown': {
    status: 404,
    wire: 'not_found',
    text: 'The code that is deployed in the environment "{environment}" has no web trigger "{trigger}". It has: {known}.',
  },
  'webtrigger.needs_no_secret': {
    status: 409,
    wire: 'conflict',
    text: 'Anybody may call the web trigger "{trigger}" (authentication: none), so it has no secret.',
  },
  'webtrigger.secret_unfit': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'This cannot be a secret of the scheme "{scheme}": {problem}.',
  },
});
