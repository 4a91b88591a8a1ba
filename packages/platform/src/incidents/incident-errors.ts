import { defineErrors } from '@bulkhead/base';

/** Said on the operator's command line only. */
export const incidentErrors = defineErrors({
  'incident.unknown_application': { status: 404, wire: 'not_found', text: 'There is no Application with the id "{application}".' },
  'incident.unknown_service': {
    status: 404,
    wire: 'not_found',
    text: 'No Application has, and the catalogue does not know, a service "{service}".',
  },
});
