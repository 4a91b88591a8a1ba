import { defineErrors } from '@bulkhead/base';

export const developerErrors = defineErrors({
  'meta_token.unknown_scope': { status: 400, wire: 'invalid_parameters', text: 'Unknown scope "{scope}". A Meta token may hold: {known}.' },
  'meta_token.expired_at_birth': { status: 400, wire: 'invalid_parameters', text: 'The expiry must lie in the future.' },
});
