import type { Name } from '@bulkhead/testkit';

/** A place in a request that names something of a tenant. */
export interface Ref {
  readonly ref: Name;
  readonly as?: 'number';
}

/** What stands in a request: fixed, or a name filled in per tenant. */
export type Part = string | number | boolean | null | Ref | readonly Part[] | { readonly [field: string]: Part };

/** How a route is called: the fixture without which a route fails the suite. */
export interface Row {
  readonly path?: Readonly<Record<string, string | Ref>>;
  readonly query?: Readonly<Record<string, string | Ref>>;
  /** Sent as JSON. */
  readonly body?: Part;
  /** Sent as a form instead. */
  readonly form?: Readonly<Record<string, string | Ref>>;
  readonly headers?: Readonly<Record<string, string | Ref>>;
  /** Status that the owner gets. */
  readonly own: number;
  /** Statuses that a stranger may get; 404 unless the standard of the route has another word for "unknown". */
  readonly foreign?: readonly number[];
  /** Names that are no secret and open nothing (RFC 6749 §2.2: a client id is public). */
  readonly open?: readonly Name[];
  /** The owner's call ends something, so it comes late; of two such rows the lower first. */
  readonly late?: number;
  /**
   * A step of a flow that a person's browser began, which shows its cookie. Its address is a secret of 256 bits, so nothing is to be found
   * out by trying; whoever has it in another browser is told so, because people open links twice. The two answers need not be equal.
   */
  readonly browser?: boolean;
}

const ref = (name: Name): Ref => ({ ref: name });
const account = { account_id: ref('account') };
const below = { application_id: ref('application') };
const CODE = 'authorization_code';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** RFC 6749 §5.2: an unknown code, token or account is a bad request. */
const REFUSED = [400] as const;
const NOT_THIS_BROWSER = [400, 403] as const;

const inProduction = { app_key: ref('app'), environment: 'production' };
const ownApp = { ...below, version: '1', app_key: ref('app') };
/** 401 at another's address, where its secret proves nothing; 404 for another App at one's own. */
const NOT_THIS_APP = [401, 404] as const;

/** The four routes of a collection below an Application. */
function collection(noun: string, id: Name, body: Part, late: number): Record<string, Row> {
  return {
    [`${noun}.list`]: { path: below, own: 200 },
    [`${noun}.create`]: { path: below, body, own: 201 },
    [`${noun}.get`]: { path: { ...below, id: ref(id) }, own: 200 },
    [`${noun}.delete`]: { path: { ...below, id: ref(id) }, own: 204, late },
  };
}

/**
 * How each route of the registry is called, by its id. Whoever adds a route adds its row: what it is called with, and
 * what its owner gets. The matrix does the rest.
 */
export const rows: Readonly<Record<string, Row | readonly Row[]>> = {
  'health.process': { own: 200 },
  'health.ready': { own: 200 },
  'openapi.document': { own: 200 },
  'openapi.root': { own: 302 },
  'openapi.reference': { own: 200 },
  'authorization_server.metadata': { own: 200 },
  'authorization.frame': { own: 200 },
  'catalogue.list': { own: 200 },

  'application.list': [
    { own: 200 },
    { query: { search: ref('canary') }, own: 200, foreign: [200] },
    { query: { source: ref('application') }, own: 200, foreign: [200] },
  ],
  'application.create': [
    { body: { name: 'made by the matrix' }, own: 201 },
    { body: { name: 'copied by the matrix', source: ref('application') }, own: 201, foreign: REFUSED },
  ],
  'application.get': { path: below, own: 200 },
  'application.update': { path: below, body: { description: 'written by the matrix' }, own: 200 },
  'application.delete': { path: below, own: 204, late: 1000 },
  'application.diff': { path: { application_id: ref('clone') }, own: 200 },
  'application.sync': { path: { application_id: ref('clone') }, body: { fields: ['description', 'oauth_keys'] }, own: 200 },
  'branding.get': { path: below, own: 200 },
  'branding.update': { path: below, body: { display_name: 'written by the matrix' }, own: 200 },
  'event_settings.get': { path: below, own: 200 },
  'event_settings.update': { path: below, body: { retention_hours: 25 }, own: 200 },
  ...collection('apikey', 'spare_apikey', {}, 210),
  ...collection('redirect_uri', 'redirect_uri', { url: 'https://matrix.example/callback' }, 220),
  ...collection('trusted_domain', 'trusted_domain', { domain: 'matrix.example' }, 230),
  ...collection('oauth_key', 'oauth_key', { service: 'gdrive', client_id: 'matrix', client_secret: 'matrix-secret' }, 240),
  'oauth_key.create.service_keys': {
    path: below,
    body: { service: 'dropbox', client_id: 'matrix', client_secret: 'matrix-secret' },
    own: 201,
  },
  'oauth_key.delete.service_keys': { path: { ...below, id: ref('spare_oauth_key') }, own: 204, late: 241 },
  'oauth_key.update': { path: { ...below, id: ref('oauth_key') }, body: { client_id: 'matrix-changed' }, own: 200 },
  'service.list': { path: below, own: 200 },
  'service.create': {
    path: below,
    body: { id: 'matrixservice', friendly_name: 'Matrix', auth: { type: 'basic' }, api: { base_url: 'https://matrix.example/api' } },
    own: 201,
  },
  'service.get': { path: { ...below, id: ref('oauth_service') }, own: 200 },
  'service.update': { path: { ...below, id: ref('oauth_service') }, body: { friendly_name: 'written by the matrix' }, own: 200 },
  'service.delete': { path: { ...below, id: ref('spare_service') }, own: 204, late: 250 },
  ...collection('webhook', 'webhook', { url: 'https://matrix.example/hook' }, 260),
  'webhook.update': { path: { ...below, id: ref('webhook') }, body: { active: true }, own: 200 },
  'webhook.test': { path: { ...below, id: ref('webhook') }, own: 200 },
  'webhook.deliveries': { path: { ...below, id: ref('webhook') }, own: 200 },
  'webhook.replay_delivery': { path: { ...below, id: ref('webhook'), delivery_id: ref('delivery') }, own: 202 },
  'webhook.replay': { path: { ...below, id: ref('webhook') }, body: { since: '2020-01-01T00:00:00Z' }, own: 202 },
  'webhook.rotate_secret': { path: { ...below, id: ref('webhook') }, own: 200 },
  ...collection('inbound_webhook', 'inbound_webhook', { service: 'slack', secret: 'secret of the matrix' }, 270),
  'inbound_webhook.update': {
    path: { ...below, id: ref('inbound_webhook') },
    body: { secondary_secret: 'another secret of the matrix' },
    own: 200,
  },
  // Without its service's signature a message is nobody's, whoever brings it: that of a real one stands in the slice's own tests.
  'inbound.receive': {
    path: { ...below, service: 'github' },
    body: { zen: 'sent by the matrix' },
    headers: { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` },
    own: 401,
    foreign: [401],
  },
  'inbound.challenge': { path: { ...below, service: 'dropbox' }, query: { challenge: 'of-the-matrix' }, own: 200, foreign: [200] },
  'inbound_message.list': { own: 200 },
  'inbound_message.get': { path: { message_id: ref('inbound_message') }, own: 200 },

  // Another's App is unknown, to whom it is not registered.
  'app.register': {
    body: { descriptor: { key: 'matrix-app', baseUrl: 'https://matrix.example', authentication: { type: 'none' } } },
    own: 201,
  },
  'app.list': { own: 200 },
  'app.get': { path: { app_key: ref('app') }, own: 200 },
  // Installed, and so not removed: that it can be stands in the slice's own tests.
  'app.delete': { path: { app_key: ref('app') }, own: 409, late: 299 },
  'install.create': [
    { path: below, body: { app_key: ref('app'), scopes: ['READ', 'ACT_AS_USER'] }, own: 200, foreign: [400, 404], late: 300 },
    { path: below, body: { app_key: ref('app'), scopes: ['READ', 'ACT_AS_USER'] }, own: 200, foreign: [400, 404], late: 309 },
  ],
  'install.list': { path: below, own: 200 },
  'install.get': { path: { ...below, app_key: ref('app') }, own: 200 },
  'install.deliveries': { path: { ...below, app_key: ref('app') }, own: 200 },
  'install.enable': { path: { ...below, app_key: ref('app') }, own: 200, late: 302 },
  'install.disable': { path: { ...below, app_key: ref('app') }, own: 200, late: 301 },
  'install.delete': { path: { ...below, app_key: ref('app') }, own: 204, late: 308 },
  // The public half of a key of this host, the same for everybody.
  'function.deploy': {
    path: { app_key: ref('app') },
    body: {
      environment: 'staging',
      manifest: { app: ref('app'), functions: [{ key: 'matrix', handler: 'index.matrix' }] },
      code: 'export const matrix = () => 1;',
    },
    own: 201,
    foreign: [400, 404],
  },
  'function.rollback': { path: { app_key: ref('app') }, body: { environment: 'production', version: 1 }, own: 200 },
  'function.deployments': { path: { app_key: ref('app') }, own: 200 },
  'function_environment.list': { path: { ...below, app_key: ref('app') }, own: 200 },
  'function_environment.get': { path: { ...below, app_key: ref('app'), environment: 'production' }, own: 200 },
  'function_environment.approve': {
    path: { ...below, app_key: ref('app'), environment: 'staging' },
    body: { permissions: [] },
    own: 200,
    late: 203,
  },
  'function_environment.leave': { path: { ...below, app_key: ref('app'), environment: 'staging' }, own: 204, late: 204 },
  'app_environment.list': { path: { app_key: ref('app') }, own: 200 },
  'app_environment.waiting': { path: inProduction, own: 200 },
  'app_environment.remove': { path: { app_key: ref('app'), environment: 'staging' }, own: 204, late: 207 },
  'function_variable.list': { path: inProduction, own: 200 },
  'function_variable.put': { path: { ...inProduction, name: 'MATRIX' }, body: { value: 'of the matrix' }, own: 200 },
  'function_variable.delete': { path: { ...inProduction, name: 'OF_THE_APP' }, own: 204, late: 205 },
  'function_install_variable.list': { path: { ...below, ...inProduction }, own: 200 },
  'function_install_variable.put': { path: { ...below, ...inProduction, name: 'MATRIX' }, body: { value: 'of the matrix' }, own: 200 },
  'function_install_variable.delete': { path: { ...below, ...inProduction, name: 'OF_THE_INSTALL' }, own: 204, late: 206 },
  'function.invoke': { path: { ...below, app_key: ref('app') }, body: { function: 'echo', payload: 'of the matrix' }, own: 200, late: 201 },
  'function.logs': { path: { ...below, app_key: ref('app') }, own: 200 },
  'function_storage.usage': { path: { ...below, app_key: ref('app') }, own: 200 },
  'function_storage.export': { path: { ...below, app_key: ref('app') }, own: 200 },
  // Nothing is kept of an install before.
  'function_storage.relink': { path: { ...below, app_key: ref('app') }, body: {}, own: 409 },
  'function_job.list': { path: { ...below, app_key: ref('app') }, own: 200 },
  'function_job.retry': { path: { ...below, app_key: ref('app'), job_id: ref('function_job') }, own: 202, late: 200 },
  'webtrigger.list': { path: { ...below, app_key: ref('app') }, own: 200 },
  'webtrigger.rotate_secret': {
    path: { ...below, app_key: ref('app'), trigger: 'signed' },
    body: { overlap_seconds: 60 },
    own: 200,
  },
  'webtrigger.call': {
    path: { ...below, app_key: ref('app'), trigger: 'bearer' },
    headers: { authorization: ref('webtrigger_authorization') },
    own: 200,
  },
  'webtrigger.call_below': {
    path: { ...below, app_key: ref('app'), trigger: 'bearer', path: 'below/it' },
    headers: { authorization: ref('webtrigger_authorization') },
    own: 200,
  },
  // Whose it is stands in the token alone: there is nothing in the request to try another's with.
  'function_runner.code': { own: 200 },
  'function_runner.variables': { own: 200 },
  'function_runner.storage': { body: { op: 'set', key: 'of-the-matrix', value: 1 }, own: 200 },
  'function_runner.accounts': [{ own: 200 }, { query: { service: ref('oauth_service') }, own: 200, foreign: [200] }],
  'function_runner.events': { own: 200, foreign: [200] },
  'function_runner.proxy': { path: { ...account, path: 'echo' }, own: 200, late: 202 },
  'function_runner.webtrigger': { path: { trigger: 'signed' }, own: 200 },
  'function_runner.queue': { body: { op: 'push', queue: 'work', jobs: [{ payload: 'of the matrix' }] }, own: 200 },
  'function_runner.fetch': { body: { url: 'https://undeclared.example/', method: 'GET', headers: [], body: '' }, own: 403, late: 202 },
  'install_key.get': { path: { kid: ref('install_key') }, own: 200, open: ['install_key'] },
  'app_property.list': { path: ownApp, own: 200, foreign: NOT_THIS_APP },
  'app_property.get': { path: { ...ownApp, property_key: ref('app_property') }, own: 200, foreign: NOT_THIS_APP },
  'app_property.put': {
    path: { ...ownApp, property_key: 'of-the-matrix' },
    body: { written: 'by the matrix' },
    own: 201,
    foreign: NOT_THIS_APP,
  },
  'app_property.delete': { path: { ...ownApp, property_key: ref('app_property') }, own: 204, foreign: NOT_THIS_APP, late: 205 },

  'app_record.usage': { path: below, own: 200, foreign: [401] },
  'app_record.list': [
    { path: { ...below, collection: 'notes' }, own: 200, foreign: [401] },
    { path: { ...below, collection: 'notes' }, query: { prefix: ref('app_record') }, own: 200, foreign: [200, 401] },
  ],
  'app_record.get': { path: { ...below, collection: 'notes', record_key: ref('app_record') }, own: 200, foreign: NOT_THIS_APP },
  'app_record.put': {
    path: { ...below, collection: 'notes', record_key: 'of-the-matrix' },
    body: { written: 'by the matrix' },
    own: 201,
    foreign: [401],
  },
  'app_record.delete': {
    path: { ...below, collection: 'notes', record_key: ref('app_record') },
    own: 204,
    foreign: NOT_THIS_APP,
    late: 205,
  },

  'app_account.list': { path: below, own: 200, foreign: NOT_THIS_APP },
  'app_account.get': { path: { ...below, ...account }, own: 200, foreign: NOT_THIS_APP },
  'app_passthrough.proxy': { path: { ...below, ...account, path: 'echo' }, own: 200, foreign: NOT_THIS_APP },
  'dynamic_module.list': { path: { ...below, version: '1' }, own: 200, foreign: [401] },
  'dynamic_module.create': {
    path: { ...below, version: '1' },
    body: { webhooks: [{ key: 'of-the-matrix', event: 'account.connected', url: '/hook' }] },
    own: 204,
    foreign: [401],
    late: 203,
  },
  'dynamic_module.delete': { path: { ...below, version: '1' }, own: 204, foreign: [401], late: 204 },
  'module.list': [{ own: 200 }, { query: { app_key: ref('app') }, own: 200, foreign: [200] }],
  'module_link.create': { body: { app_key: ref('app'), module_key: 'page' }, own: 201, foreign: REFUSED },
  'page.show': [
    {
      path: { ...below, app_key: ref('app'), module_key: 'page' },
      query: { session: ref('page_session') },
      own: 200,
      foreign: NOT_THIS_BROWSER,
      browser: true,
    },
    {
      path: { ...below, app_key: ref('app'), module_key: 'page' },
      query: { ticket: ref('page_ticket') },
      own: 303,
      foreign: NOT_THIS_BROWSER,
      browser: true,
      late: 20,
    },
  ],
  'page.token': {
    path: { ...below, app_key: ref('app'), module_key: 'page' },
    body: { session: ref('page_session') },
    headers: { 'sec-fetch-site': 'same-origin' },
    own: 200,
    foreign: [403],
    browser: true,
  },
  'page.frame': {
    path: { ...below, app_key: ref('app'), module_key: 'page' },
    body: { session: ref('page_session'), module_key: 'page' },
    headers: { 'sec-fetch-site': 'same-origin' },
    own: 200,
    foreign: [403],
    browser: true,
  },
  'ap_script.all': { own: 200 },
  'ap_script.all_of_tenant': { path: below, own: 200, foreign: [200], open: ['application'] },
  'ap_script.host': { own: 200 },
  'app_info.get': { path: ownApp, own: 200, foreign: NOT_THIS_APP },
  'user_token.issue': {
    path: below,
    form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: ref('app_assertion') },
    own: 200,
    foreign: REFUSED,
    late: 202,
  },
  'app_host.unlisted': { path: { ...below, path: 'rest/api/3/issue' }, own: 403, foreign: [401], late: 206 },
  'upm.settings': { path: below, own: 200 },
  'upm.list': { path: below, own: 200 },
  // The body is refused before anything of it is looked at: that of a real App stands in tests/apps.
  'upm.install': { path: below, body: { pluginUri: 'https://matrix.example/descriptor' }, own: 415, foreign: [404], late: 207 },
  'upm.pending': { path: { ...below, app_key: ref('app') }, own: 303 },
  'upm.get': { path: { ...below, plugin: ref('app_plugin') }, own: 200 },
  'upm.uninstall': { path: { ...below, plugin: ref('app_plugin') }, own: 204, late: 310 },

  'account.list': [
    { own: 200 },
    { query: { search: ref('canary') }, own: 200, foreign: [200] },
    { query: { end_user: ref('end_user') }, own: 200, foreign: [200] },
    { query: { service: ref('oauth_service') }, own: 200, foreign: [200] },
  ],
  'account.import': {
    body: { service: ref('oauth_service'), account: 'imported by the matrix', token: 'matrix-token' },
    own: 201,
    foreign: REFUSED,
  },
  'account.get': { path: account, own: 200 },
  'account.update': { path: account, body: { custom_properties: { written: 'by the matrix' } }, own: 200 },
  'account.reconnect': { path: account, own: 201 },
  'account.delete': { path: account, own: 204, late: 900 },

  'event.list_of_account': [
    { path: account, own: 200 },
    { path: account, query: { cursor: ref('account_event_cursor') }, own: 200 },
  ],
  'event.latest_of_account': { path: account, own: 200 },
  'event.list': [{ own: 200 }, { query: { cursor: ref('event_cursor') }, own: 200 }],
  'event.latest': { own: 200 },

  'passthrough.raw': { path: account, headers: { 'x-kloudless-raw-uri': '/echo', 'x-kloudless-raw-method': 'GET' }, own: 200 },
  'passthrough.proxy_root': { path: account, own: 200 },
  'passthrough.proxy': { path: { ...account, path: 'echo' }, own: 200 },

  'token.verify': { own: 200 },
  'token.issue': [
    {
      form: {
        grant_type: CODE,
        code: ref('code'),
        code_verifier: ref('code_verifier'),
        redirect_uri: ref('redirect_url'),
        end_user: ref('end_user'),
      },
      own: 200,
      foreign: REFUSED,
    },
    {
      form: {
        grant_type: EXCHANGE,
        subject_token: ref('api_key_text'),
        subject_token_type: 'urn:bulkhead:token-type:api-key',
        account_id: ref('account'),
      },
      own: 200,
      foreign: REFUSED,
    },
    {
      form: {
        grant_type: EXCHANGE,
        subject_token: ref('access_token'),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
      own: 200,
      foreign: REFUSED,
    },
    { form: { grant_type: 'refresh_token', refresh_token: ref('refresh_token') }, own: 200, foreign: REFUSED, late: 100 },
  ],
  'token.introspect': [
    { form: { token: ref('access_token') }, own: 200, foreign: [200] },
    { form: { token: ref('refresh_token') }, own: 200, foreign: [200] },
  ],
  'token.revoke': [
    { form: { token: ref('second_access_token') }, own: 200, foreign: [200], late: 110 },
    { form: { token: ref('refresh_token') }, own: 200, foreign: [200], late: 120 },
  ],
  'authorization.push': [
    {
      form: {
        response_type: 'code',
        redirect_uri: ref('redirect_url'),
        scope: ref('oauth_service'),
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      },
      own: 201,
      foreign: REFUSED,
    },
    {
      form: {
        response_type: 'code',
        redirect_uri: ref('redirect_url'),
        account_id: ref('account'),
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      },
      own: 201,
      foreign: REFUSED,
    },
  ],

  'authorization.start': {
    query: { client_id: ref('application'), request_uri: ref('request_uri') },
    own: 303,
    foreign: REFUSED,
    open: ['application'],
    late: 10,
  },
  'authorization.startServices': {
    query: { client_id: ref('application'), response_type: 'token', redirect_uri: ref('redirect_url'), scope: ref('oauth_service') },
    own: 303,
    foreign: [303, 400],
    open: ['application'],
  },
  'authorization.show': { path: { transaction: ref('transaction') }, own: 200, foreign: NOT_THIS_BROWSER, browser: true },
  'authorization.choose': {
    path: { transaction: ref('transaction') },
    form: { cancel: '1' },
    own: 303,
    foreign: NOT_THIS_BROWSER,
    browser: true,
    late: 50,
  },
  'authorization.submitCredential': {
    path: { transaction: ref('transaction') },
    form: { service: ref('key_service'), api_key: 'no such key' },
    own: 422,
    foreign: NOT_THIS_BROWSER,
    browser: true,
    late: 40,
  },
  'authorization.callback': {
    path: { callback_id: ref('callback') },
    query: { state: ref('state'), error: 'access_denied' },
    own: 303,
    foreign: NOT_THIS_BROWSER,
    open: ['callback'],
    browser: true,
  },
};

/** The rows of a route; aliases are called like what they are an alias of. Null where nobody wrote one. */
export function rowsOf(routeId: string): readonly Row[] | null {
  const id = routeId.replace(/\.legacy$/, '');
  const found = rows[id] ?? rows[id.replace(/\.service_keys$/, '')];
  if (found === undefined) return null;
  return Array.isArray(found) ? (found as readonly Row[]) : [found as Row];
}
