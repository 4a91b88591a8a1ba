import { defineErrors } from '@bulkhead/base';

export const vaultErrors = defineErrors({
  'vault.unreadable': {
    status: 500,
    wire: 'internal_error',
    text: 'A stored secret cannot be opened. The operator must look at the root key.',
  },
  'vault.credential_malformed': {
    status: 400,
    wire: 'invalid_parameters',
    text: '"{field}" cannot be a credential: it is empty, too long, or holds characters that no header carries.',
  },
  'vault.refresh_failed': {
    status: 503,
    wire: 'service_not_available',
    text: 'The access token of this account has expired and the service did not give a new one. Try again later.',
  },
  'vault.client_refused': {
    status: 502,
    wire: 'service_forbidden',
    text: 'The access token of this account has expired and the service refuses the OAuth key of this Application. Check its client_id and client_secret.',
  },
  'vault.no_client': {
    status: 409,
    wire: 'conflict',
    text: 'The access token of this account has expired and this Application has no OAuth key for the service any more. Add one.',
  },
  'vault.revocation_failed': {
    status: 502,
    wire: 'bad_gateway',
    text: 'The service did not confirm that the tokens of this account are revoked.',
  },
  'vault.refresh_slow': {
    status: 504,
    wire: 'gateway_timeout',
    text: 'The service is taking too long to renew the access token of this account. Try again.',
  },
});
