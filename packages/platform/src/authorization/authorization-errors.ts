import { defineErrors } from '@bulkhead/base';

/** Errors of the connect flow. Those with an `oauth` code may travel to the client (RFC 6749 §4.1.2.1); the others end on a page. */
export const authorizationErrors = defineErrors({
  // While any of these holds, nothing is sent to the redirect URI (RFC 6749 §4.1.2.1).
  'authorization.unknown_client': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_client',
    text: '"client_id" names no active Application.',
  },
  'authorization.client_id_missing': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"client_id" is missing. Give the id of the Application.',
  },
  'authorization.redirect_uri_missing': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"redirect_uri" is missing. Give one that is registered for the Application.',
  },
  'authorization.redirect_uri_unregistered': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"redirect_uri" is not registered for the Application. It must be the registered text, letter by letter; add it at /v1/meta/applications/{application}/redirect_uris.',
  },
  'authorization.origin_untrusted': {
    status: 403,
    wire: 'forbidden',
    oauth: 'unauthorized_client',
    text: 'The origin {origin} is not trusted, so it may not receive tokens. Add its domain at /v1/meta/applications/{application}/trusted_domains (host or host:port).',
  },
  'authorization.origin_missing': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"origin" must be the origin of the page that opened this window, such as https://app.example.com.',
  },
  'authorization.request_uri_unknown': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request_uri',
    text: '"request_uri" is unknown, expired, used already, or of another client. Push the request anew.',
  },
  'authorization.malformed': { status: 400, wire: 'bad_request', oauth: 'invalid_request', text: '{problem}' },

  // Told to the client.
  /** RFC 9449 §10.1. */
  'authorization.dpop_key_mismatch': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"dpop_jkt" names another key than the DPoP proof was made with. Leave one of them out.',
  },
  'authorization.dpop_needs_code': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: 'Only a code can be bound to a key: send response_type=code, or leave out dpop_jkt and the DPoP proof.',
  },
  'authorization.response_type_unsupported': {
    status: 400,
    wire: 'bad_request',
    oauth: 'unsupported_response_type',
    text: '"response_type" must be "code", or "token" where the Application allows the implicit grant.',
  },
  'authorization.implicit_disabled': {
    status: 400,
    wire: 'bad_request',
    oauth: 'unauthorized_client',
    text: 'This Application does not allow the implicit grant. Use response_type=code, or set implicit_grant_enabled on the Application.',
  },
  'authorization.pkce_required': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"code_challenge" is required (RFC 7636, S256). Only for old confidential clients may the Application set pkce_required to false.',
  },
  'authorization.pkce_method': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"code_challenge_method" must be S256; "plain" is never accepted.',
  },
  'authorization.no_service': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_scope',
    text: 'No service of this Application fits the scope "{scope}". Is the service enabled, and does it have an OAuth key?',
  },
  'authorization.end_user_needs_code': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: '"end_user" goes with response_type=code only: where no code is redeemed, nobody can tell whether that person came back or another one.',
  },
  'authorization.unknown_account': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: '"account_id" names no account of this Application.',
  },
  'authorization.identity_untold': {
    status: 409,
    wire: 'conflict',
    oauth: 'invalid_request',
    text: 'The service does not say whose an account is, so nobody can tell whether the same one comes back. Give the new credential with PATCH /v1/accounts/{id}, or connect the account as a new one.',
  },
  'authorization.cancelled': { status: 400, wire: 'forbidden', oauth: 'access_denied', text: 'The user cancelled.' },
  'authorization.service_changed': {
    status: 400,
    wire: 'conflict',
    oauth: 'server_error',
    text: 'The settings of the service changed while the account was being connected. Start again.',
  },
  'authorization.too_many_attempts': {
    status: 400,
    wire: 'forbidden',
    oauth: 'access_denied',
    text: 'The credential was refused too often. Start again.',
  },

  // The flow itself is in doubt: a page, and no redirect.
  'authorization.flow_unknown': {
    status: 400,
    wire: 'bad_request',
    text: 'This step belongs to no connect flow that is under way: it was finished, it expired, or the address is wrong.',
  },
  'authorization.flow_expired': { status: 400, wire: 'bad_request', text: 'The connect flow took longer than 10 minutes.' },
  'authorization.other_browser': {
    status: 403,
    wire: 'forbidden',
    text: 'The connect flow was begun in another browser, or this browser refused its cookie. It is over now.',
  },
  'authorization.cross_site': { status: 403, wire: 'forbidden', text: 'This form was sent from another site.' },
  'authorization.prefetch': { status: 503, wire: 'service_not_available', text: 'A connect flow is not started ahead of time.' },

  // Pushed requests (RFC 9126 §2.3).
  'authorization.client_authentication': {
    status: 401,
    wire: 'unauthorized',
    oauth: 'invalid_client',
    text: 'A pushed authorization request needs client authentication: the Application id and one of its API keys.',
  },
  'authorization.client_mismatch': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"client_id" is not the Application whose API key was sent.',
  },
  'authorization.request_uri_pushed': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: '"request_uri" cannot itself be pushed.',
  },
});
