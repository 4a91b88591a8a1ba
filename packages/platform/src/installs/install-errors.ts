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
  'app.installed': {
    status: 409,
    wire: 'conflict',
    text: 'The App "{app_key}" is installed into {installs} of your Applications, such as {application}. Uninstall it in each first: DELETE /v1/meta/applications/{application}/installs/{app_key}.',
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
  'app_record.version_differs': {
    status: 412,
    wire: 'conflict',
    text: 'The record is not as If-Match or If-None-Match says: it was changed, made or deleted meanwhile. Read it again, then decide.',
  },
  'app_record.too_large': {
    status: 413,
    wire: 'request_too_large',
    text: 'The value of a record has at most {limit} bytes as JSON. Keep it in several records.',
  },
  'app_record.limit': {
    status: 409,
    wire: 'conflict',
    text: 'An App holds at most {limit} records per install. Delete some, or keep several things in one.',
  },
  'app_record.bytes_limit': {
    status: 409,
    wire: 'conflict',
    text: 'The records of an App take at most {limit} bytes per install. Delete or shorten some; GET /rest/bulkhead/1/records says how much they take.',
  },
  'app_record.collection_limit': {
    status: 409,
    wire: 'conflict',
    text: 'An App holds at most {limit} collections per install. Use the beginnings of keys instead: they can be listed by prefix.',
  },
  'dynamic_module.invalid': { status: 400, wire: 'invalid_parameters', text: 'The modules cannot be added: {name} is {problem}.' },
  'dynamic_module.limit': { status: 400, wire: 'request_failed', text: 'An App adds at most {limit} modules to one install.' },
  'install.path_malformed': {
    status: 400,
    wire: 'bad_request',
    text: 'The request URI is improperly formed: write the path without dot segments, empty segments, backslashes or needless escapes.',
  },
  'impersonation.unsupported_type': {
    status: 400,
    wire: 'bad_request',
    oauth: 'unsupported_grant_type',
    text: 'The grant_type must be urn:ietf:params:oauth:grant-type:jwt-bearer.',
  },
  /** RFC 7523 §3.1. One text for every reason: whoever has not proved to be the App learns nothing of it. */
  'impersonation.assertion_invalid': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_grant',
    text: "The assertion is unknown, over or used before. Sign a new one for each request: HS256 with the shared secret of this install; iss urn:atlassian:connect:clientid: and its oauthClientId, sub urn:atlassian:connect:useraccountid: and the user, tnt and aud the tenant's base URL, exp at most 60 seconds after iat.",
  },
  'impersonation.user_unknown': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_grant',
    text: 'No account of this Application belongs to that user. The user is named as in "end_user" of an account.',
  },
  'impersonation.not_granted': {
    status: 400,
    wire: 'forbidden',
    oauth: 'unauthorized_client',
    text: 'The App may not act for users here. It has to ask for the scope ACT_AS_USER, and to be installed again with it.',
  },
  'impersonation.disabled': {
    status: 400,
    wire: 'forbidden',
    oauth: 'unauthorized_client',
    text: 'The App is not enabled in this Application. Wait for its install to end, or have it enabled by whoever installed it.',
  },
  'impersonation.scope_exceeded': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_scope',
    text: 'The scope asks for more than the App was granted: {held}.',
  },
  'impersonation.limit': {
    status: 429,
    wire: 'too_many_requests',
    oauth: 'temporarily_unavailable',
    text: 'An App holds at most {limit} tokens for users of one Application at a time. Use each until it is over.',
  },
  'install.scope_missing': { status: 403, wire: 'forbidden', text: 'Request not in an authorized API scope.' },
});
