import { defineErrors } from '@bulkhead/base';

export const eventErrors = defineErrors({
  'event.limited_token': {
    status: 403,
    wire: 'permission_denied',
    text: 'This token is narrowed to some pass-through calls, and reading events is not among them.',
  },
  'event.call_for_user': {
    status: 403,
    wire: 'permission_denied',
    text: 'This call of a function is for one end user, and the events of an Application tell of all of them.',
  },
});
