import { defineErrors } from '@bulkhead/base';

export const applicationErrors = defineErrors({
  'application.unknown_source': {
    status: 400,
    wire: 'invalid_parameters',
    text: '"source" names no Application of yours. Give the id of an existing one, or leave it out.',
  },
  'redirect_uri.refused': { status: 400, wire: 'invalid_parameters', text: 'This redirect URI cannot be registered: {problem}.' },
  'redirect_uri.exists': { status: 409, wire: 'naming_conflict', text: 'This redirect URI is registered already.' },
  'trusted_domain.refused': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'Give a domain as host or host:port, without scheme or path, such as app.example.com or localhost:3000.',
  },
  'trusted_domain.exists': { status: 409, wire: 'naming_conflict', text: 'This domain is trusted already.' },
  'oauth_key.unknown_service': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'There is no service "{service}" here. See GET /v1/meta/services, or add a custom service first.',
  },
  'oauth_key.not_oauth': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The service "{service}" is not connected by OAuth, so it takes no OAuth key.',
  },
  'oauth_key.exists': {
    status: 409,
    wire: 'naming_conflict',
    text: 'There is an OAuth key for "{service}" already. Change that one, or delete it first.',
  },
  'custom_service.exists': { status: 409, wire: 'naming_conflict', text: 'There is a service with the id "{service}" already.' },
  'custom_service.in_use': { status: 409, wire: 'conflict', text: 'Accounts are connected to this service. Delete them first.' },
  'limit.reached': {
    status: 400,
    wire: 'request_failed',
    text: 'An Application holds at most {limit} {things}. Delete those that are no longer used.',
  },
});
