import { defineErrors } from '@bulkhead/base';

export const passthroughErrors = defineErrors({
  'passthrough.account_broken': {
    status: 401,
    wire: 'service_unauthorized',
    text: 'The service no longer accepts the credential of this account ({reason}). Have it connected again: POST /v1/accounts/{account}/reconnect gives a link for its owner.',
  },
  'passthrough.account_inactive': { status: 403, wire: 'forbidden', text: 'This account is switched off. Set `active` to true first.' },
  'passthrough.service_gone': { status: 409, wire: 'conflict', text: 'The service of this account was removed from the Application.' },
  'passthrough.not_allowed': {
    status: 403,
    wire: 'permission_denied',
    text: 'This token does not allow this call: its limits on method, path or origin exclude it.',
  },
  'passthrough.upstream_limited': {
    status: 429,
    wire: 'too_many_service_requests',
    text: 'The service has asked this account to wait; {seconds} seconds are left. To ask it all the same, send X-Bulkhead-Upstream-Limit: ignore.',
  },
  'passthrough.target_malformed': { status: 400, wire: 'invalid_parameters', text: 'The address of the call cannot be used: {problem}.' },
  'passthrough.elsewhere': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The address of the call must be at {origin}: the credential of this account goes nowhere else.',
  },
  'passthrough.header_malformed': { status: 400, wire: 'invalid_parameters', text: '{header} {problem}.' },
});
