import { defineErrors } from '@bulkhead/base';

export const functionErrors = defineErrors({
  'function.app_unknown': {
    status: 404,
    wire: 'not_found',
    text: 'Your organization has registered no App of this key. Register it first: POST /v1/meta/apps.',
  },
  'function.not_deployed': {
    status: 409,
    wire: 'conflict',
    text: 'Nothing is deployed for the App "{app_key}" in the environment "{environment}".',
  },
  'function.unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The code that is deployed in the environment "{environment}" has no function "{function}". It has: {known}.',
  },
  'function.install_disabled': { status: 409, wire: 'conflict', text: 'The App "{app_key}" is disabled in this Application.' },
  'function.no_runner': { status: 503, wire: 'service_not_available', text: 'Functions cannot run here: {reason}.' },
  'function.busy': {
    status: 429,
    wire: 'too_many_requests',
    text: 'Too many calls of this install are waiting, or the machine has no place for another. Try again in a moment.',
  },
  'function.suspended': {
    status: 429,
    wire: 'too_many_requests',
    text: 'The functions of this install had to be killed again and again, and start no more for a while.',
  },
  'function.egress_undeclared': {
    status: 403,
    wire: 'forbidden',
    text: 'The manifest does not declare the host {host}: add it to permissions.external.fetch.backend and deploy again.',
  },
});
