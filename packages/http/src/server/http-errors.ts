import { defineErrors } from '@bulkhead/base';

export const httpErrors = defineErrors({
  not_found: { status: 404, wire: 'not_found', oauth: 'invalid_request', text: 'There is nothing here, or it is not yours to see.' },
  'request.invalid': { status: 400, wire: 'invalid_parameters', oauth: 'invalid_request', text: '{problem}' },
  'request.malformed_json': { status: 400, wire: 'bad_request', oauth: 'invalid_request', text: 'The body is not valid JSON: {problem}.' },
  'request.unsupported_media_type': {
    status: 415,
    wire: 'unsupported_media_type',
    oauth: 'invalid_request',
    text: 'Send the body as {expected}.',
  },
  'request.body_too_large': { status: 413, wire: 'request_too_large', oauth: 'invalid_request', text: 'The body is larger than {limit} bytes.' },
  'request.duplicate_host': { status: 400, wire: 'bad_request', oauth: 'invalid_request', text: 'Send exactly one Host, and a path as request target.' },
  'request.two_credentials': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: 'Send one credential only: the request holds more than one.',
  },
  'request.idempotency_key': { status: 400, wire: 'invalid_parameters', oauth: 'invalid_request', text: 'Idempotency-Key is 1 to 255 printable ASCII characters.' },
  'idempotency.mismatch': {
    status: 409,
    wire: 'conflict',
    oauth: 'invalid_request',
    text: 'This Idempotency-Key was used with another request. Use a new key, or send the same request again.',
  },
  'idempotency.in_progress': {
    status: 409,
    wire: 'conflict',
    oauth: 'invalid_request',
    text: 'A request with this Idempotency-Key is still running. Try again in a moment.',
  },
  unauthorized: {
    status: 401,
    wire: 'unauthorized',
    oauth: 'invalid_client',
    text: 'A valid credential is needed: {expected}.',
  },
  'token.invalid': { status: 401, wire: 'invalid_token', oauth: 'invalid_token', text: 'The access token is unknown, expired or revoked.' },
  'token.invalid_at_verify': { status: 400, wire: 'invalid_token', oauth: 'invalid_token', text: 'The access token is unknown, expired or revoked.' },
  'token.invalid_at_picker': { status: 403, wire: 'invalid_token', oauth: 'invalid_token', text: 'The access token is unknown, expired or revoked.' },
  forbidden: { status: 403, wire: 'forbidden', oauth: 'access_denied', text: 'This credential does not include "{scope}".' },
  'method.not_allowed': { status: 405, wire: 'method_not_allowed', text: 'This address answers {allowed} only.' },
  'server.draining': { status: 503, wire: 'service_not_available', oauth: 'temporarily_unavailable', text: 'The server is shutting down. Try again.' },
  server_error: { status: 500, wire: 'internal_error', oauth: 'server_error', text: 'Something went wrong on our side. The request id helps us find it.' },
});
