import { defineErrors } from '@bulkhead/base';

export const keysErrors = defineErrors({
  'keys.no_new_root_key': {
    status: 409,
    wire: 'conflict',
    text: 'There is no root key to rotate to. Make one (openssl rand -base64 32), give it to each process as BULKHEAD_ROOT_KEY and the one before as BULKHEAD_ROOT_KEY_PREVIOUS, and start them anew.',
  },
  'keys.rotation_key_missing': {
    status: 409,
    wire: 'conflict',
    text: 'A rotation is under way between two root keys, and one of them is not given here. It can only be ended with both.',
  },
  'keys.unknown_application': { status: 404, wire: 'not_found', text: 'There is no such Application.' },
});
