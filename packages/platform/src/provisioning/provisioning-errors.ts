import { defineErrors } from '@bulkhead/base';

export const provisioningErrors = defineErrors({
  'lineage.no_source': {
    status: 409,
    wire: 'conflict',
    text: 'This Application has no template: it was not cloned, or its template is gone.',
  },
});
