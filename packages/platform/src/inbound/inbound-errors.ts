import { defineErrors } from '@bulkhead/base';

export const inboundErrors = defineErrors({
  'inbound.unverified': {
    status: 401,
    wire: 'unauthorized',
    text: 'This message could not be verified. Its signature, its time or the secret that is set for it here does not fit.',
  },
  'inbound_webhook.exists': {
    status: 409,
    wire: 'naming_conflict',
    text: 'There is an inbound webhook of "{service}" already. Change it, or delete it first.',
  },
  'inbound_webhook.unknown_service': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'There is no service "{service}" here. Give one of the catalogue, a custom service of this Application, or the name of a scheme.',
  },
  'inbound_webhook.scheme_needed': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'How messages of "{service}" are signed is not known. Say so in "scheme": {schemes}.',
  },
  'inbound_webhook.limit': { status: 400, wire: 'request_failed', text: 'An Application holds at most {limit} inbound webhooks.' },
});
