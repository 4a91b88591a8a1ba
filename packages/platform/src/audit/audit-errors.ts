import { defineErrors } from '@bulkhead/base';

export const auditErrors = defineErrors({
  'audit.no_key': {
    status: 500,
    wire: 'internal_error',
    oauth: 'server_error',
    text: 'Something went wrong on our side. The request id helps us find it.',
  },
});
