import { defineErrors } from '@bulkhead/base';

export const accountErrors = defineErrors({
  'account.identity_mismatch': {
    status: 409,
    wire: 'conflict',
    oauth: 'access_denied',
    text: 'This is another account than the one to be reconnected. Sign in to the service with the account that was connected before, or connect this one as a new account.',
  },
  'account.not_pending': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_grant',
    text: 'The connection was not confirmed in time, or the account was removed since. Connect the account again.',
  },
  'account.limit': {
    status: 400,
    wire: 'request_failed',
    oauth: 'access_denied',
    text: 'This Application holds {limit} accounts, the most it may. Delete those that are no longer used; who runs this server can raise BULKHEAD_ACCOUNTS_MAX.',
  },
  'account.unknown_service': { status: 400, wire: 'invalid_parameters', text: 'This Application has no service "{service}".' },
  'account.exists': {
    status: 409,
    wire: 'conflict',
    text: 'This Application has an account "{account}" of this service already ({id}), with another credential, and a name alone does not say whether it is the same one. Give its "identity_id", or PATCH /v1/accounts/{id}, to replace the credential; give another "account" for another account.',
  },
  'account.missing_field': { status: 400, wire: 'invalid_parameters', text: '"{field}" is required for this service.' },
  'account.service_fixed': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The service of an account cannot be changed. Connect or import another account.',
  },
  'account.credential_changed': {
    status: 409,
    wire: 'conflict',
    text: 'The credential of this account was renewed in the same moment. Send the request again.',
  },
  'account.needs_api_key': { status: 403, wire: 'permission_denied', text: 'Only an API key may {what}; this is a token of one account.' },
  'account.limited_token': {
    status: 403,
    wire: 'permission_denied',
    text: 'This token is narrowed, and what it allows does not include changing the account.',
  },
});
