import { defineErrors } from '@bulkhead/base';

export const installErrors = defineErrors({
  'app.descriptor_invalid': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The descriptor cannot be used: {name} is {problem}.',
  },
  'app.descriptor_not_json': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The address of the descriptor answered {answer}. It must answer 200 with the descriptor as a JSON object.',
  },
  'app.limit': { status: 400, wire: 'request_failed', text: 'An organization registers at most {limit} Apps.' },
  'install.app_unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'Your organization has registered no App of this key. Register it first: POST /v1/meta/apps.',
  },
  'install.scopes_differ': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The App "{app_key}" asks for the scopes {asked}. Whoever installs it consents to exactly these: give them as "scopes".',
  },
  'install.busy': {
    status: 409,
    wire: 'conflict',
    text: 'The App "{app_key}" is being installed into this Application at this moment. Try again when that has ended.',
  },
  'install.refused': {
    status: 502,
    wire: 'bad_gateway',
    text: 'The App "{app_key}" did not accept the install, so nothing was changed: {answer}.',
  },
  'install.disabled': {
    status: 403,
    wire: 'forbidden',
    text: 'The App is disabled in this Application. Who installed it can enable it again.',
  },
  'install.limit': { status: 400, wire: 'request_failed', text: 'At most {limit} Apps are installed into one Application.' },
  'install.token_invalid': {
    status: 401,
    wire: 'unauthorized',
    oauth: 'invalid_request',
    text: 'Send "Authorization: JWT TOKEN": signed HS256 with the shared secret of this install, iss the App\'s key, with iat, exp and the qsh of this very request.',
  },
  'app_property.limit': { status: 409, wire: 'conflict', text: 'An App holds at most {limit} properties per install. Delete one first.' },
  'dynamic_module.invalid': { status: 400, wire: 'invalid_parameters', text: 'The modules cannot be added: {name} is {problem}.' },
  'dynamic_module.limit': { status: 400, wire: 'request_failed', text: 'An App adds at most {limit} modules to one install.' },
  'install.path_malformed': {
    status: 400,
    wire: 'bad_request',
    text: 'The request URI is improperly formed: write the path without dot segments, empty segments, backslashes or needless escapes.',
  },
  'install.scope_missing': { status: 403, wire: 'forbidden', text: 'Request not in an authorized API scope.' },
});
