/** One request of the probe. `{name}` in any text is filled by the world: ids, fresh codes and tokens, keys. */
export interface ProbeRequest {
  readonly method: string;
  /** Path, or a whole target where a probe says so. */
  readonly path: string;
  readonly query?: Fields;
  readonly headers?: Fields;
  /** Sent as a form; a list is a parameter that is repeated. */
  readonly form?: Fields;
  /** Sent as it is, instead of `form`. */
  readonly body?: string;
}

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What differs from the benign request, and how it is answered. Undefined takes a field away. */
export type Probe = readonly [
  what: string,
  change: Partial<ProbeRequest>,
  status: number,
  /** `error` of an OAuth answer or of an authorization response, `code` of another; on a page the code it shows. */
  code: string,
];

export interface ProbeGroup {
  /** The benign sibling of every probe of the group. */
  readonly benign: ProbeRequest;
  readonly benignStatus: number;
  readonly probes: readonly Probe[];
}

const basic = (pair: string) => ({ headers: { authorization: `Basic ${pair}` } });
const form = (fields: Fields) => ({ form: fields });
const query = (fields: Fields) => ({ query: fields });
const authorization = (value: string | readonly string[] | undefined) => ({ headers: { authorization: value } });
const AS_CLIENT = { authorization: 'Basic {basic}' };
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DETAIL = (rest: string) => `[{"type":"passthrough",${rest}}]`;
const S256 = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' };

const redeem: ProbeGroup = {
  benign: {
    method: 'POST',
    path: '/v1/oauth/token',
    headers: AS_CLIENT,
    form: { grant_type: 'authorization_code', code: '{code}', code_verifier: '{verifier}', redirect_uri: '{redirect_uri}' },
  },
  benignStatus: 200,
  probes: [
    ['no client at all', authorization(undefined), 401, 'invalid_client'],
    ['a wrong secret', basic('{basic_wrong}'), 401, 'invalid_client'],
    ['an unknown client', basic('{basic_unknown}'), 401, 'invalid_client'],
    ["another client's key under the own id", basic('{basic_foreign_key}'), 401, 'invalid_client'],
    ['another client', basic('{other_basic}'), 400, 'invalid_grant'],
    ['Basic that is no base64', basic('%%%'), 401, 'invalid_client'],
    ['Basic without a colon', basic('YWJj'), 401, 'invalid_client'],
    ['Basic with a broken percent-encoding', basic('JTpK'), 401, 'invalid_client'],
    ['an access token for a client', authorization('Bearer {access_token}'), 401, 'invalid_client'],
    ['a Meta token for a client', authorization('Bearer {meta_token}'), 401, 'invalid_client'],
    ['a Meta token as API key', authorization('APIKey {meta_token}'), 401, 'invalid_client'],
    ['a scheme nobody knows', authorization('Digest username="x"'), 401, 'invalid_client'],
    ['Basic beside a secret in the form', form({ client_id: '{client_id}', client_secret: '{key}' }), 400, 'invalid_request'],
    ['Basic beside another client_id', form({ client_id: '{other_id}' }), 400, 'invalid_request'],
    ['two different keys', { ...authorization('APIKey {key}'), ...form({ client_secret: '{other_key}' }) }, 400, 'invalid_request'],
    ['a token beside a secret', { ...authorization('Bearer {access_token}'), ...form({ client_secret: '{key}' }) }, 400, 'invalid_request'],
    ['two Authorization headers', authorization(['Basic {basic}', 'Basic {basic}']), 400, 'request.two_credentials'],
    ['a token in the URL', query({ access_token: '{access_token}' }), 400, 'invalid_request'],
    [
      'the secret in the URL beside a body',
      { ...authorization(undefined), ...query({ client_id: '{client_id}', client_secret: '{key}' }) },
      401,
      'invalid_client',
    ],
    ['client_id twice', { ...authorization(undefined), ...form({ client_id: ['{client_id}', '{other_id}'] }) }, 400, 'invalid_request'],
    ['no grant_type', form({ grant_type: undefined }), 400, 'invalid_request'],
    ['two grant types', form({ grant_type: ['authorization_code', 'refresh_token'] }), 400, 'invalid_request'],
    ['one grant type in the URL, one in the body', query({ grant_type: 'refresh_token' }), 400, 'invalid_request'],
    ['the password grant', form({ grant_type: 'password', username: 'ada', password: 'x' }), 400, 'unsupported_grant_type'],
    ['client credentials', form({ grant_type: 'client_credentials' }), 400, 'unsupported_grant_type'],
    ['a prototype for a grant', form({ grant_type: '__proto__' }), 400, 'unsupported_grant_type'],
    ['no code', form({ code: undefined }), 400, 'invalid_request'],
    ['two codes', form({ code: ['{code}', '{code}'] }), 400, 'invalid_request'],
    ['a code that is none', form({ code: 'x' }), 400, 'invalid_grant'],
    ['a code with a NUL', form({ code: '{code}\0' }), 400, 'invalid_request'],
    ['a code in other letters', form({ code: '{code_lower}' }), 400, 'invalid_grant'],
    ["another client's code", form({ code: '{other_code}', code_verifier: '{other_verifier}' }), 400, 'invalid_grant'],
    ['a code that was used', form({ code: '{spent_code}', code_verifier: '{spent_verifier}' }), 400, 'invalid_grant'],
    ['an access token for a code', form({ code: '{access_token}' }), 400, 'invalid_grant'],
    ['a refresh token for a code', form({ code: '{refresh_token}' }), 400, 'invalid_grant'],
    ['no verifier', form({ code_verifier: undefined }), 400, 'invalid_grant'],
    ['another verifier', form({ code_verifier: 'x'.repeat(43) }), 400, 'invalid_grant'],
    ['the challenge for a verifier (plain)', form({ code_verifier: '{challenge}' }), 400, 'invalid_grant'],
    ['a verifier of 42 characters', form({ code_verifier: 'x'.repeat(42) }), 400, 'invalid_request'],
    ['a verifier of 129 characters', form({ code_verifier: 'x'.repeat(129) }), 400, 'invalid_request'],
    ['no redirect_uri', form({ redirect_uri: undefined }), 400, 'invalid_request'],
    ['another redirect_uri', form({ redirect_uri: 'https://evil.example/' }), 400, 'invalid_grant'],
    ['a redirect_uri with a slash more', form({ redirect_uri: '{redirect_uri}/' }), 400, 'invalid_grant'],
    ['an end_user nobody pushed', form({ end_user: 'ada' }), 400, 'invalid_grant'],
    ['JSON that is none', { body: '{', headers: { 'content-type': 'application/json' } }, 400, 'invalid_request'],
    ['a JSON list', { body: '[]', headers: { 'content-type': 'application/json' } }, 400, 'invalid_request'],
    ['JSON nested without end', { body: '['.repeat(5000), headers: { 'content-type': 'application/json' } }, 400, 'invalid_request'],
    ['two megabytes', { body: 'x'.repeat(2_000_000) }, 413, 'invalid_request'],
    ['a thousand parameters', { body: 'a=1&'.repeat(1000) }, 400, 'invalid_request'],
    ['a proof that is none', { headers: { dpop: 'x' } }, 400, 'invalid_dpop_proof'],
    ['PUT', { method: 'PUT' }, 405, 'method.not_allowed'],
    ['TRACE', { method: 'TRACE', form: {}, body: '' }, 405, 'method.not_allowed'],
    ['two hosts', { headers: { host: ['{host}', 'evil.example'] } }, 400, 'request.duplicate_host'],
    ['a target with another host in it', { path: 'http://evil.example/v1/oauth/token' }, 400, 'request.duplicate_host'],
  ],
};

const refresh: ProbeGroup = {
  benign: {
    method: 'POST',
    path: '/v1/oauth/token',
    headers: AS_CLIENT,
    form: { grant_type: 'refresh_token', refresh_token: '{refresh_token}' },
  },
  benignStatus: 200,
  probes: [
    ['an unknown refresh token', form({ refresh_token: 'x' }), 400, 'invalid_grant'],
    ['an access token for it', form({ refresh_token: '{access_token}' }), 400, 'invalid_grant'],
    ['one that was used', form({ refresh_token: '{spent_refresh_token}' }), 400, 'invalid_grant'],
    ["another client's", form({ refresh_token: '{other_refresh_token}' }), 400, 'invalid_grant'],
    [
      'a public client with one of a confidential',
      { ...authorization(undefined), ...form({ client_id: '{client_id}' }) },
      400,
      'invalid_grant',
    ],
    ['a wider scope', form({ scope: 'gdrive.storage' }), 400, 'invalid_scope'],
    ['two of them', form({ refresh_token: ['{refresh_token}', '{refresh_token}'] }), 400, 'invalid_request'],
    ['none', form({ refresh_token: undefined }), 400, 'invalid_request'],
  ],
};

const exchange: ProbeGroup = {
  benign: {
    method: 'POST',
    path: '/v1/oauth/token',
    headers: AS_CLIENT,
    form: {
      grant_type: EXCHANGE,
      subject_token: '{access_token}',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    },
  },
  benignStatus: 200,
  probes: [
    ['no subject', form({ subject_token: undefined }), 400, 'invalid_request'],
    ['no subject type', form({ subject_token_type: undefined }), 400, 'invalid_request'],
    ['an unknown subject type', form({ subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }), 400, 'invalid_request'],
    ["another client's token", form({ subject_token: '{other_access_token}' }), 400, 'invalid_request'],
    ['a refresh token', form({ subject_token: '{refresh_token}' }), 400, 'invalid_request'],
    ['a Meta token', form({ subject_token: '{meta_token}' }), 400, 'invalid_request'],
    [
      "another client's key",
      form({ subject_token: '{other_key}', subject_token_type: 'urn:bulkhead:token-type:api-key', account_id: '{account}' }),
      400,
      'invalid_request',
    ],
    [
      "another client's account",
      form({ subject_token: '{key}', subject_token_type: 'urn:bulkhead:token-type:api-key', account_id: '{other_account}' }),
      400,
      'invalid_request',
    ],
    ['another account than the token reaches', form({ account_id: '{second_account}' }), 400, 'invalid_request'],
    ['an account beyond all numbers', form({ account_id: '9'.repeat(30) }), 400, 'invalid_request'],
    ['SQL for an account', form({ account_id: '1 or 1=1' }), 400, 'invalid_request'],
    ['a wider scope', form({ scope: 'gdrive.storage' }), 400, 'invalid_scope'],
    ['no time', form({ expires_in: '0' }), 400, 'invalid_request'],
    ['time backwards', form({ expires_in: '-60' }), 400, 'invalid_request'],
    ['a time that is no number', form({ expires_in: 'Infinity' }), 400, 'invalid_request'],
    ['an actor', form({ actor_token: 'x', actor_token_type: 'y' }), 400, 'invalid_request'],
    ['another audience', form({ audience: 'https://evil.example' }), 400, 'invalid_target'],
    ['another resource', form({ resource: 'https://evil.example' }), 400, 'invalid_target'],
    [
      'a token type we do not issue',
      form({ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }),
      400,
      'invalid_request',
    ],
    ['details that are no JSON', form({ authorization_details: '[' }), 400, 'invalid_authorization_details'],
    ['no detail at all', form({ authorization_details: '[]' }), 400, 'invalid_authorization_details'],
    ['a detail of an unknown type', form({ authorization_details: '[{"type":"payment"}]' }), 400, 'invalid_authorization_details'],
    ['a limit nobody knows', form({ authorization_details: DETAIL('"hosts":["x"]') }), 400, 'invalid_authorization_details'],
    ['a method nobody knows', form({ authorization_details: DETAIL('"methods":["TRACE"]') }), 400, 'invalid_authorization_details'],
    ['a path that climbs', form({ authorization_details: DETAIL('"path_prefix":"/a/../b"') }), 400, 'invalid_authorization_details'],
    [
      'a path that climbs, encoded twice',
      form({ authorization_details: DETAIL('"path_prefix":"/a/%252e%252e"') }),
      400,
      'invalid_authorization_details',
    ],
    [
      'an origin with a path',
      form({ authorization_details: DETAIL('"origins":["https://a.example/b"]') }),
      400,
      'invalid_authorization_details',
    ],
  ],
};

const introspect: ProbeGroup = {
  benign: { method: 'POST', path: '/v1/oauth/introspect', headers: AS_CLIENT, form: { token: '{access_token}' } },
  benignStatus: 200,
  probes: [
    ['no client', authorization(undefined), 401, 'invalid_client'],
    ['a public client', { ...authorization(undefined), ...form({ client_id: '{client_id}' }) }, 401, 'invalid_client'],
    ['the token itself for a client', authorization('Bearer {access_token}'), 401, 'invalid_client'],
    ['a wrong secret', basic('{basic_wrong}'), 401, 'invalid_client'],
    ['no token', form({ token: undefined }), 400, 'invalid_request'],
    ['two tokens', form({ token: ['{access_token}', '{refresh_token}'] }), 400, 'invalid_request'],
    ['GET', { method: 'GET', form: {}, query: { token: '{access_token}' } }, 405, 'method.not_allowed'],
  ],
};

const revoke: ProbeGroup = {
  benign: { method: 'POST', path: '/v1/oauth/revoke', headers: AS_CLIENT, form: { token: '{access_token}' } },
  benignStatus: 200,
  probes: [
    ['no client', authorization(undefined), 401, 'invalid_client'],
    ['a wrong secret', basic('{basic_wrong}'), 401, 'invalid_client'],
    ['no token', form({ token: undefined }), 400, 'invalid_request'],
    ['GET', { method: 'GET', form: {}, query: { token: '{access_token}' } }, 405, 'method.not_allowed'],
  ],
};

const push: ProbeGroup = {
  benign: {
    method: 'POST',
    path: '/v1/oauth/par',
    headers: AS_CLIENT,
    form: { response_type: 'code', redirect_uri: '{redirect_uri}', scope: '{service}', state: 'x', ...S256 },
  },
  benignStatus: 201,
  probes: [
    ['no client', authorization(undefined), 401, 'invalid_client'],
    ['a public client', { ...authorization(undefined), ...form({ client_id: '{client_id}' }) }, 401, 'invalid_client'],
    ['another client_id', form({ client_id: '{other_id}' }), 400, 'invalid_request'],
    ['a request_uri in it', form({ request_uri: 'urn:ietf:params:oauth:request_uri:x' }), 400, 'invalid_request'],
    ['an unregistered redirect_uri', form({ redirect_uri: 'https://evil.example/' }), 400, 'invalid_request'],
    ['a script for a redirect_uri', form({ redirect_uri: 'javascript:alert(1)' }), 400, 'invalid_request'],
    ['two redirect URIs', form({ redirect_uri: ['{redirect_uri}', 'https://evil.example/'] }), 400, 'invalid_request'],
    ['no challenge', form({ code_challenge: undefined, code_challenge_method: undefined }), 400, 'invalid_request'],
    ['a plain challenge', form({ code_challenge_method: 'plain' }), 400, 'invalid_request'],
    ['a challenge without its method', form({ code_challenge_method: undefined }), 400, 'invalid_request'],
    ['an unknown response_type', form({ response_type: 'code token' }), 400, 'unsupported_response_type'],
    ['an unknown scope', form({ scope: 'no_such_service' }), 400, 'invalid_scope'],
    ["another client's account", form({ account_id: '{other_account}' }), 400, 'invalid_request'],
    ['a state of 5,000 characters', form({ state: 'x'.repeat(5000) }), 400, 'invalid_request'],
    ['an end_user with a line end', form({ end_user: 'a\r\nset-cookie: x' }), 400, 'invalid_request'],
    ['a prototype for custom properties', form({ custom_properties: '{"__proto__":{"x":1}}' }), 400, 'invalid_request'],
  ],
};

const authorize: ProbeGroup = {
  benign: {
    method: 'GET',
    path: '/v1/oauth',
    query: { client_id: '{client_id}', response_type: 'code', redirect_uri: '{redirect_uri}', scope: '{service}', state: 'x', ...S256 },
  },
  benignStatus: 303,
  probes: [
    ['no client', query({ client_id: undefined }), 400, 'authorization.client_id_missing'],
    ['an unknown client', query({ client_id: '{unknown_id}' }), 400, 'authorization.unknown_client'],
    ['two clients', query({ client_id: ['{client_id}', '{other_id}'] }), 400, 'authorization.malformed'],
    ["another client's redirect_uri", query({ redirect_uri: '{other_redirect_uri}' }), 400, 'authorization.redirect_uri_unregistered'],
    ['no redirect_uri', query({ redirect_uri: undefined }), 400, 'authorization.redirect_uri_missing'],
    ['two redirect URIs', query({ redirect_uri: ['{redirect_uri}', 'https://evil.example/'] }), 400, 'authorization.malformed'],
    ['an unregistered one', query({ redirect_uri: 'https://evil.example/' }), 400, 'authorization.redirect_uri_unregistered'],
    ['one without a scheme', query({ redirect_uri: '//evil.example/' }), 400, 'authorization.redirect_uri_unregistered'],
    ['a script', query({ redirect_uri: 'javascript:alert(1)' }), 400, 'authorization.redirect_uri_unregistered'],
    ['a page as data', query({ redirect_uri: 'data:text/html,x' }), 400, 'authorization.redirect_uri_unregistered'],
    [
      'the registered one behind a user name',
      query({ redirect_uri: 'https://client.example@evil.example/callback?kept=1' }),
      400,
      'authorization.redirect_uri_unregistered',
    ],
    [
      'the registered one with a line end',
      query({ redirect_uri: '{redirect_uri}\r\nset-cookie: x=1' }),
      400,
      'authorization.redirect_uri_unregistered',
    ],
    ['an unknown request_uri', query({ request_uri: 'urn:ietf:params:oauth:request_uri:x' }), 400, 'authorization.request_uri_unknown'],
    ['a request_uri to be fetched', query({ request_uri: 'https://evil.example/request.jwt' }), 400, 'authorization.request_uri_unknown'],
    ["another client's request_uri", query({ request_uri: '{other_request_uri}' }), 400, 'authorization.request_uri_unknown'],
    [
      'a message to a page nobody trusts',
      query({ redirect_uri: 'urn:ietf:wg:oauth:2.0:oob', response_type: 'token', origin: 'https://untrusted.example' }),
      403,
      'authorization.origin_untrusted',
    ],
    ['no challenge', query({ code_challenge: undefined, code_challenge_method: undefined }), 303, 'invalid_request'],
    ['a plain challenge', query({ code_challenge_method: 'plain' }), 303, 'invalid_request'],
    ['a challenge that is none', query({ code_challenge: 'x' }), 303, 'invalid_request'],
    ['the implicit grant, which is off', query({ response_type: 'token' }), 303, 'unauthorized_client'],
    ['a response_type nobody knows', query({ response_type: 'id_token' }), 303, 'unsupported_response_type'],
    ['an unknown scope', query({ scope: 'no_such_service' }), 303, 'invalid_scope'],
    ['two scopes', query({ scope: ['{service}', 'any'] }), 303, 'invalid_request'],
    ['two states', query({ state: ['x', 'y'] }), 303, 'invalid_request'],
    ['a callback without a state', { path: '/v1/oauth/callback/gdrive', query: {} }, 400, 'authorization.flow_unknown'],
    [
      'a callback with a state of nobody',
      { path: '/v1/oauth/callback/gdrive', query: { state: 'x', code: 'y' } },
      400,
      'authorization.flow_unknown',
    ],
    ['a page of a flow that never was', { path: '/v1/oauth/authorize/bht_x', query: {} }, 400, 'authorization.flow_unknown'],
  ],
};

const resource: ProbeGroup = {
  benign: { method: 'GET', path: '/v1/accounts/{account}', headers: { authorization: 'Bearer {access_token}' } },
  benignStatus: 200,
  probes: [
    ['no token', authorization(undefined), 401, 'unauthorized'],
    ['noise', authorization('Bearer x'), 401, 'token.invalid'],
    ['a revoked one', authorization('Bearer {revoked_access_token}'), 401, 'token.invalid'],
    ['two tokens in one header', authorization('Bearer {access_token}, Bearer {access_token}'), 401, 'unauthorized'],
    ['two headers', authorization(['Bearer {access_token}', 'APIKey {key}']), 400, 'request.two_credentials'],
    ['one in the URL', { ...authorization(undefined), ...query({ access_token: '{access_token}' }) }, 400, 'request.two_credentials'],
    ['one in the URL beside the header', query({ access_token: '{access_token}' }), 400, 'request.two_credentials'],
    [
      'one in the URL under a spelling',
      { ...authorization(undefined), path: '/v1/accounts/{account}?access%5ftoken={access_token}' },
      400,
      'request.two_credentials',
    ],
    ['a refresh token', authorization('Bearer {refresh_token}'), 401, 'token.invalid'],
    ['a code', authorization('Bearer {code}'), 401, 'token.invalid'],
    ['an API key as Bearer', authorization('Bearer {key}'), 401, 'unauthorized.wrong_kind'],
    ['a token as APIKey', authorization('APIKey {access_token}'), 401, 'unauthorized.wrong_kind'],
    ['a token as Basic', authorization('Basic {basic}'), 401, 'unauthorized'],
    ['a token under DPoP that is not bound', authorization('DPoP {access_token}'), 401, 'token.invalid'],
    ['a Meta token', authorization('Bearer {meta_token}'), 401, 'token.invalid'],
    ["another Application's token", authorization('Bearer {other_access_token}'), 404, 'not_found'],
    ["another Application's key", authorization('APIKey {other_key}'), 404, 'not_found'],
    ['the token of another account', authorization('Bearer {second_access_token}'), 404, 'not_found'],
    [
      "another Application's token at the proxy",
      { path: '/v1/accounts/{account}/proxy/files', ...authorization('Bearer {other_access_token}') },
      404,
      'not_found',
    ],
    [
      'a token in the URL of the proxy',
      { path: '/v1/accounts/{account}/proxy/files', ...query({ access_token: '{access_token}' }) },
      400,
      'request.two_credentials',
    ],
    ['an access token at the Meta API', { path: '/v1/meta/applications' }, 401, 'unauthorized.wrong_kind'],
    ['an API key at the Meta API', { path: '/v1/meta/applications', ...authorization('APIKey {key}') }, 401, 'unauthorized.wrong_kind'],
    ['a bad one at the verify address', { path: '/v1/oauth/token', ...authorization('Bearer x') }, 400, 'token.invalid_at_verify'],
    ['an API key at the verify address', { path: '/v1/oauth/token', ...authorization('APIKey {key}') }, 401, 'unauthorized.wrong_kind'],
  ],
};

export const HOSTILE: Readonly<Record<string, ProbeGroup>> = {
  'RFC 6749 §4.1.3 redeeming a code': redeem,
  'RFC 6749 §6 refreshing': refresh,
  'RFC 8693 exchanging': exchange,
  'RFC 7662 introspecting': introspect,
  'RFC 7009 revoking': revoke,
  'RFC 9126 pushing a request': push,
  'RFC 6749 §4.1.1 beginning a flow': authorize,
  'RFC 6750 using a token': resource,
};
