import { defineErrors } from '@bulkhead/base';

/** Errors of the service catalogue, of scopes, and of everything an upstream service may do to us. */
export const servicesErrors = defineErrors({
  'service.invalid': { status: 400, wire: 'invalid_parameters', text: 'The service definition is not valid: {problem}' },
  'service.base_url_unknown': {
    status: 409,
    wire: 'conflict',
    text: "The address of this account's API is not known. Reconnect the account.",
  },

  'service.credential_malformed': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The key is empty or holds characters that cannot be sent to the service.',
  },

  'scope.invalid': { status: 400, wire: 'invalid_parameters', oauth: 'invalid_scope', text: 'The scope is not valid: {problem}' },

  'upstream.discovery_failed': {
    status: 502,
    wire: 'bad_gateway',
    oauth: 'server_error',
    text: 'The authorization server metadata of the service could not be read: {problem}',
  },
  'upstream.access_denied': { status: 403, wire: 'service_forbidden', oauth: 'access_denied', text: 'Access was declined at the service.' },
  'upstream.authorization_failed': {
    status: 502,
    wire: 'service_forbidden',
    oauth: 'server_error',
    text: 'The service ended the authorization with "{error}".',
  },
  'upstream.callback_malformed': {
    status: 400,
    wire: 'bad_request',
    oauth: 'server_error',
    text: 'The service sent back an authorization response that cannot be used.',
  },
  'upstream.issuer_mismatch': {
    status: 400,
    wire: 'bad_request',
    oauth: 'server_error',
    text: 'The authorization response does not come from the authorization server that was asked.',
  },
  'upstream.state_mismatch': {
    status: 400,
    wire: 'bad_request',
    oauth: 'server_error',
    text: 'The authorization response belongs to another request.',
  },
  'upstream.code_refused': {
    status: 502,
    wire: 'service_unauthorized',
    oauth: 'server_error',
    text: 'The service refused the authorization code ("{error}"). Start the connection again.',
  },
  'upstream.client_refused': {
    status: 502,
    wire: 'service_unauthorized',
    oauth: 'server_error',
    text: 'The service refused the OAuth key ("{error}"). Check its client_id, client_secret and callback URL.',
  },
  'upstream.answer_malformed': {
    status: 502,
    wire: 'bad_gateway',
    oauth: 'server_error',
    text: 'The service gave an answer that cannot be used: {problem}',
  },
  'upstream.answer_too_large': { status: 502, wire: 'bad_gateway', oauth: 'server_error', text: 'The answer of the service is too large.' },
  'upstream.unavailable': {
    status: 502,
    wire: 'service_not_available',
    oauth: 'temporarily_unavailable',
    text: 'The service could not be reached or is out of order. Try again later.',
  },
  'upstream.timeout': {
    status: 504,
    wire: 'gateway_timeout',
    oauth: 'temporarily_unavailable',
    text: 'The service did not answer in time. Try again later.',
  },
  'upstream.rate_limited': {
    status: 429,
    wire: 'too_many_service_requests',
    oauth: 'temporarily_unavailable',
    text: 'The service refuses further calls for now. Try again later.',
  },
  'upstream.identity_refused': {
    status: 502,
    wire: 'service_unauthorized',
    oauth: 'server_error',
    text: 'The service refused to say whose account this is. Check the credential.',
  },
  'upstream.identity_conflict': {
    status: 502,
    wire: 'bad_gateway',
    oauth: 'server_error',
    text: 'The service named two different people as the owner of one account.',
  },
  'upstream.identity_missing': {
    status: 502,
    wire: 'bad_gateway',
    oauth: 'server_error',
    text: 'The service did not say whose account this is: {problem}',
  },
});
