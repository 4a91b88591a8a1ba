import { defineErrors } from '@bulkhead/base';

export const storageErrors = defineErrors({
  'function.storage_condition': {
    status: 409,
    wire: 'conflict',
    text: 'Nothing was changed: what is kept under "{stored_key}" is not as the call asks ({condition}). Read it again, and try with what is there now.',
  },
  'function.storage_full': {
    status: 409,
    wire: 'conflict',
    text: 'The functions of an install keep at most {limit} per environment, and this would be more. Delete some, give values a ttl, or make them smaller.',
  },
  'function.storage_entity_unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The manifest that is deployed declares no entity "{entity}" under storage.entities.',
  },
  'function.storage_index_unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The entity "{entity}" has no index "{index}" in the manifest that is deployed. It has: {known}.',
  },
  'function.storage_invalid': { status: 400, wire: 'invalid_parameters', text: 'Storage refuses this: {problem}.' },
  'function.storage_in_use': {
    status: 409,
    wire: 'conflict',
    text: 'The environment "{environment}" of this install keeps {count} values already. Say "replace" to keep those aside for 28 days and put the earlier ones in their place.',
  },
  'function.storage_none_kept': {
    status: 409,
    wire: 'conflict',
    text: 'Nothing is kept from an earlier install of this App in the environment "{environment}". It is kept for 28 days after an uninstall.',
  },
});
