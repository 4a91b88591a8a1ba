import { defineErrors } from '@bulkhead/base';

export const pathErrors = defineErrors({
  'path.not_plain': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_authorization_details',
    text: 'The path cannot be used: {problem}.',
  },
});
