import { createHash, createHmac, randomBytes } from 'node:crypto';
import { type ApplicationId, applicationId as applicationIds, defineTenantCredential, Secret } from '@bulkhead/base';
import { issueMetaToken } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { JWT_BEARER, readConnectJwt, sharedSecretKey, signConnectJwt, signWebhook, userAssertionClaims } from '@bulkhead/protocol';
import { dpopProof } from './dpop-proof.ts';
import { appToken } from './fake-app.ts';
import { FakeRunner } from './fake-runner.ts';
import type { FakeUpstream } from './fake-upstream.ts';
import { formWith, HttpBrowser, type Visit } from './http-browser.ts';
import type { World } from './world.ts';

/** Everything of a twin that a request can name. */
export type Name =
  | 'application'
  | 'apikey'
  | 'redirect_uri'
  | 'trusted_domain'
  | 'oauth_key'
  | 'oauth_service'
  | 'key_service'
  | 'webhook'
  | 'delivery'
  | 'inbound_webhook'
  | 'inbound_message'
  | 'app'
  | 'page_session'
  | 'page_ticket'
  | 'app_plugin'
  | 'app_property'
  | 'app_assertion'
  | 'app_record'
  | 'function_job'
  | 'webtrigger_authorization'
  | 'install_key'
  | 'callback'
  | 'redirect_url'
  | 'account'
  | 'second_account'
  | 'code'
  | 'code_verifier'
  | 'access_token'
  | 'second_access_token'
  | 'refresh_token'
  | 'request_uri'
  | 'transaction'
  | 'state'
  | 'api_key_text'
  | 'spare_apikey'
  | 'spare_oauth_key'
  | 'spare_service'
  | 'clone'
  | 'event_cursor'
  | 'account_event_cursor'
  | 'canary'
  | 'end_user';

export type Names = Readonly<Record<Name, string>>;

/** One tenant, filled with everything a tenant can have. Its canary stands in every text it wrote, but for those that its connect page shows to everybody. */
export interface Twin {
  readonly title: string;
  readonly canary: string;
  readonly organizationId: string;
  readonly metaToken: string;
  /** Of the same organization, reading only. */
  readonly readingMetaToken: string;
  readonly revokedMetaToken: string;
  readonly applicationId: ApplicationId;
  readonly names: Names;
  /** Live bearers: of the first account, of the second. */
  readonly apiKey: string;
  readonly revokedApiKey: string;
  readonly revokedBearer: string;
  /** The Cookie header of the browser in which the open flow began. */
  readonly cookie: string;
  /** Its installed App. */
  readonly app: TwinApp;
  /** Every secret ever shown to this tenant or typed by it. */
  readonly secrets: readonly string[];
}

/** An App that a twin has installed. The secret is the one it was told last. */
export interface TwinApp {
  readonly appKey: string;
  readonly clientKey: string;
  readonly sharedSecret: string;
  /** By which it acts for the end user of the twin. */
  readonly userToken: string;
  /** Of a call of its functions that is running, and of one that has ended. */
  readonly invocationToken: string;
  readonly endedInvocationToken: string;
  /** A job of its functions that has failed. */
  readonly failedJob: string;
  /** By which callers of its web triggers are known; the last is a bearer's. */
  readonly webtriggerSecrets: readonly string[];
  /** `Authorization` of a call by this App. */
  authorization(request: { readonly method: string; readonly path: string }, claims?: Readonly<Record<string, unknown>>): string;
}

/** Two Applications of one organization and one of another, each filled alike. */
export interface Twins extends AsyncDisposable {
  readonly upstream: FakeUpstream;
  /** The one that is attacked. */
  readonly victim: Twin;
  /** Another organization. */
  readonly stranger: Twin;
  /** The victim's own organization, another Application. */
  readonly sibling: Twin;
}

export function pkcePair(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Fills a world with twins. The upstream must be reachable: start it before the world, and let the world's egress through. */
export async function createTwins(world: World, upstream: FakeUpstream): Promise<Twins> {
  const first = await organizationOf(world, world.metaToken);
  const second = await newOrganization(world, 'Second organization');
  const victim = await createTwin(world, upstream, 'victim', first);
  const sibling = await createTwin(world, upstream, 'sibling', first);
  const stranger = await createTwin(world, upstream, 'stranger', second);
  // Nobody answers at their webhooks; so each has something in the log of its deliveries, and an endpoint that fails.
  await world.platform.runDueDeliveries();
  // Each has a schedule from then on, and after that something that happened and that no worker has looked at.
  await world.platform.writeDueJobs();
  for (const { applicationId, canary } of [victim, sibling, stranger]) {
    const event = {
      application_id: applicationId,
      event_id: `${canary}-event`,
      type: 'application.updated',
      at: new Date(world.clock.now()),
      data: {},
    };
    await world.platform.db.withTenant(applicationId, (tx) =>
      tx.execute(sql`select bulkhead_events_happened(${JSON.stringify([event])}::jsonb)`),
    );
  }
  return { upstream, victim, sibling, stranger, [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose]() };
}

interface OrganizationTokens {
  readonly organizationId: string;
  readonly metaToken: string;
  readonly readingMetaToken: string;
  readonly revokedMetaToken: string;
}

async function organizationOf(world: World, metaToken: string): Promise<OrganizationTokens> {
  const organizationId = await world.platform.db.withControl('first organization of a test', async (tx) => {
    const row = await tx.one<{ organization_id: string }>(sql`select organization_id from organizations order by created_at limit 1`);
    return row.organization_id;
  });
  return { metaToken, ...(await furtherTokens(world, organizationId)) };
}

async function newOrganization(world: World, name: string): Promise<OrganizationTokens> {
  const organizationId = `org${randomBytes(11).toString('hex')}`;
  const metaToken = await world.platform.db.withControl('another organization of a test', async (tx) => {
    await tx.execute(sql`insert into organizations (organization_id, name) values (${organizationId}, ${name})`);
    return (await issueMetaToken(tx, { organizationId, name: 'all', now: new Date(world.clock.now()) })).secret.reveal();
  });
  return { metaToken, ...(await furtherTokens(world, organizationId)) };
}

async function furtherTokens(world: World, organizationId: string) {
  return world.platform.db.withControl('further Meta tokens of a test', async (tx) => {
    const now = new Date(world.clock.now());
    const reading = await issueMetaToken(tx, { organizationId, name: 'reading', scopes: ['applications:read'], now });
    const revoked = await issueMetaToken(tx, { organizationId, name: 'revoked', now });
    await tx.execute(sql`delete from meta_tokens where meta_token_id = ${revoked.metaToken.metaTokenId}`);
    return { organizationId, readingMetaToken: reading.secret.reveal(), revokedMetaToken: revoked.secret.reveal() };
  });
}

/** Meta calls of one organization; anything but success throws. */
class Meta {
  readonly #world: World;
  readonly #token: string;

  constructor(world: World, token: string) {
    this.#world = world;
    this.#token = token;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape.
  async call(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.#world.call(method, `/v1/meta${path}`, {
      headers: { authorization: `Bearer ${this.#token}` },
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }
}

/** What an Application says about itself, with the canary in every text that is not for everybody. */
function configured(canary: string) {
  return {
    name: `${canary} name`,
    description: `${canary} description`,
    implicit_grant_enabled: true,
    events_enabled: true,
    end_customer: `${canary} customer`,
    // Shown to whoever holds a link, so without the canary.
    branding: { display_name: 'A brand', support_url: 'https://brand.example/support', primary_colour: '#0b6b82' },
  };
}

async function createTwin(world: World, upstream: FakeUpstream, title: string, organization: OrganizationTokens): Promise<Twin> {
  const canary = `canary${randomBytes(8).toString('hex')}`;
  const meta = new Meta(world, organization.metaToken);
  const created = await meta.call('POST', '/applications', configured(canary));
  const applicationId = created.id as ApplicationId;
  const apiKey: string = created.default_api_key.key;
  const below = `/applications/${applicationId}`;
  const redirectUrl = `https://${canary}.example/callback`;
  const oauthService = `o${randomBytes(6).toString('hex')}`;
  const keyService = `k${randomBytes(6).toString('hex')}`;
  const clientSecret = `client-secret-${randomBytes(18).toString('hex')}`;

  const redirectUri = await meta.call('POST', `${below}/redirect_uris`, { url: redirectUrl });
  const trustedDomain = await meta.call('POST', `${below}/trusted_domains`, { domain: `${canary}.example` });
  const service = await meta.call('POST', `${below}/services`, upstream.oauthService(oauthService, `${canary} files`));
  await meta.call('POST', `${below}/services`, upstream.keyService(keyService, `${canary} notes`));
  const oauthKey = await meta.call('POST', `${below}/oauth_keys`, {
    service: oauthService,
    client_id: `${canary}-client`,
    client_secret: clientSecret,
    scopes: ['files.read'],
  });
  const webhook = await meta.call('POST', `${below}/webhooks`, { url: `https://${canary}.example/hook` });
  // That it was added is an event, and the first thing it is told.
  const deliveries = await meta.call('GET', `${below}/webhooks/${webhook.id}/deliveries`);
  const inboundSecret = `inbound-secret-${randomBytes(18).toString('hex')}`;
  const secondaryInboundSecret = `inbound-secret-${randomBytes(18).toString('hex')}`;
  const inboundWebhook = await meta.call('POST', `${below}/inbound_webhooks`, {
    service: 'github',
    secret: inboundSecret,
    secondary_secret: secondaryInboundSecret,
  });
  const received = JSON.stringify({ ref: `${canary} ref` });
  const signature = createHmac('sha256', inboundSecret).update(received).digest('hex');
  await mustBe(
    200,
    await world.call('POST', `/v1/inbound/${applicationId}/github`, {
      headers: { 'x-hub-signature-256': `sha256=${signature}` },
      body: received,
    }),
  );
  const messages = await mustBe(200, await world.call('GET', '/v1/inbound_messages', { headers: { authorization: `APIKey ${apiKey}` } }));
  const revoked = await meta.call('POST', `${below}/apikeys`);
  await meta.call('DELETE', `${below}/apikeys/${revoked.id}`);
  const spareService = `s${randomBytes(6).toString('hex')}`;
  await meta.call('POST', `${below}/services`, upstream.keyService(spareService, `${canary} spare`));
  const spareKey = await meta.call('POST', `${below}/apikeys`);
  const spareOAuthKey = await meta.call('POST', `${below}/oauth_keys`, {
    service: 'box',
    client_id: `${canary}-spare`,
    client_secret: clientSecret,
  });
  const clone = await meta.call('POST', '/applications', { name: `${canary} clone`, source: applicationId });

  const tenant: ConnectingTenant = { applicationId, apiKey, redirectUrl, canary };
  const upstreamKey = `key:${canary}-second:${randomBytes(12).toString('hex')}`;
  const oauth = { service: oauthService, person: { id: `${canary}-first`, name: `${canary}@first.example` } };
  const grant = await connectAccount(world, upstream, tenant, oauth);
  const secondGrant = await connectAccount(world, upstream, tenant, { service: keyService, apiKey: upstreamKey });
  const spent = await redeemed(world, tenant, await authorized(world, upstream, tenant, oauth));
  await mustBe(
    200,
    await world.call('POST', '/v1/oauth/revoke', {
      headers: { authorization: `APIKey ${apiKey}` },
      body: new URLSearchParams({ token: spent.access_token }),
    }),
  );
  const unspent = await authorized(world, upstream, tenant, oauth);
  const { requestUri } = await pushed(world, tenant, { scope: oauthService });
  await mustBe(
    201,
    await world.call('POST', `/v1/accounts/${grant.account_id}/reconnect`, {
      headers: { authorization: `APIKey ${apiKey}`, 'idempotency-key': `${canary}-key` },
    }),
  );
  const url = `${world.url}/v1/oauth/token`;
  await mustBe(
    200,
    await world.call('POST', url, {
      headers: { authorization: `APIKey ${apiKey}`, dpop: dpopProof({ method: 'POST', url, now: world.clock.now() }) },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: apiKey,
        subject_token_type: 'urn:bulkhead:token-type:api-key',
        account_id: String(grant.account_id),
      }),
    }),
  );
  const app = await installedApp(world, upstream, meta, { applicationId, appKey: `${canary}-app`, canary });
  const flow = await openFlow(world, tenant, oauthService, keyService);
  const pages = await openAppPage(world, tenant, app.appKey);
  const events = await world.call('GET', '/v1/events', { headers: { authorization: `APIKey ${apiKey}` } });
  const accountEvents = await world.call('GET', `/v1/accounts/${grant.account_id}/events`, {
    headers: { authorization: `APIKey ${apiKey}` },
  });

  return {
    title,
    canary,
    ...organization,
    applicationId,
    apiKey,
    revokedApiKey: revoked.key,
    revokedBearer: spent.access_token,
    cookie: `${flow.cookie}; ${pages.cookie}`,
    app,
    names: {
      application: applicationId,
      apikey: created.default_api_key.id,
      redirect_uri: redirectUri.id,
      trusted_domain: trustedDomain.id,
      oauth_key: oauthKey.id,
      oauth_service: oauthService,
      key_service: keyService,
      webhook: webhook.id,
      delivery: deliveries.objects[0].id,
      inbound_webhook: inboundWebhook.id,
      inbound_message: messages.json.objects[0].id,
      app: app.appKey,
      page_session: pages.session,
      page_ticket: pages.ticket,
      app_plugin: `${app.appKey}-key`,
      app_property: `${canary}-note`,
      app_assertion: app.assertion,
      app_record: `${canary}-record`,
      function_job: app.failedJob,
      webtrigger_authorization: `Bearer ${app.webtriggerSecrets.at(-1)}`,
      install_key: app.kid,
      callback: service.callback_url.split('/').at(-1),
      redirect_url: redirectUrl,
      account: String(grant.account_id),
      second_account: String(secondGrant.account_id),
      code: unspent.code,
      code_verifier: unspent.verifier,
      access_token: grant.access_token,
      second_access_token: secondGrant.access_token,
      refresh_token: grant.refresh_token,
      request_uri: requestUri,
      transaction: flow.transaction,
      state: flow.state,
      api_key_text: apiKey,
      spare_apikey: spareKey.id,
      spare_oauth_key: spareOAuthKey.id,
      spare_service: spareService,
      clone: clone.id,
      event_cursor: events.json.cursor,
      account_event_cursor: accountEvents.json.cursor,
      canary,
      end_user: `${canary}-user`,
    },
    secrets: [
      apiKey,
      revoked.key,
      spareKey.key,
      clone.default_api_key.key,
      clientSecret,
      webhook.secret,
      webhook.signing_secret,
      inboundSecret,
      secondaryInboundSecret,
      app.sharedSecret,
      pages.ticket,
      app.userToken,
      app.invocationToken,
      app.endedInvocationToken,
      ...app.webtriggerSecrets,
      app.assertion,
      upstreamKey,
      unspent.code,
      unspent.verifier,
      requestUri.slice(requestUri.lastIndexOf(':') + 1),
      flow.transaction,
      flow.state,
      ...[grant, secondGrant, spent].flatMap((tokens) => [tokens.access_token, tokens.refresh_token]),
    ],
  };
}

/** Registers an App of the twin, installs it, and has it keep a property and act for the end user. The upstream plays the App. */
async function installedApp(
  world: World,
  upstream: FakeUpstream,
  meta: Meta,
  { applicationId, appKey, canary }: { applicationId: ApplicationId; appKey: string; canary: string },
): Promise<TwinApp & { readonly kid: string; readonly assertion: string }> {
  const descriptor = {
    key: appKey,
    name: `${canary} App`,
    baseUrl: `${upstream.url}/app/${appKey}`,
    authentication: { type: 'jwt' },
    lifecycle: { installed: '/installed', enabled: '/enabled', uninstalled: '/uninstalled' },
    scopes: ['READ', 'ACT_AS_USER'],
    modules: { generalPages: [{ key: 'page', url: '/page?of={note}', name: { value: `${canary} page` } }] },
  };
  await meta.call('POST', '/apps', { descriptor });
  const installed = await meta.call('POST', `/applications/${applicationId}/installs`, {
    app_key: appKey,
    scopes: ['READ', 'ACT_AS_USER'],
  });
  const told = () => upstream.requests.findLast(({ path }) => path === `/app/${appKey}/installed`)!;
  const secret = (): string => JSON.parse(told().body).sharedSecret;
  const signature = readConnectJwt(String(told().headers.authorization).replace(/^JWT /, ''));
  const app = {
    appKey,
    clientKey: installed.client_key as string,
    kid: 'refused' in signature ? '' : (signature.header.kid ?? ''),
    get sharedSecret() {
      return secret();
    },
    authorization: (request: { method: string; path: string }, claims = {}) =>
      `JWT ${appToken({ appKey, sharedSecret: secret() }, { ...request, now: world.clock.now() }, claims)}`,
  };
  const path = `/t/${applicationId}/rest/atlassian-connect/1/addons/${appKey}/properties/${canary}-note`;
  const kept = { headers: { authorization: app.authorization({ method: 'PUT', path }) }, body: { text: `${canary} note` } };
  await mustBe(201, await world.call('PUT', path, kept));
  const record = `/t/${applicationId}/rest/bulkhead/1/records/notes/${canary}-record`;
  const put = { headers: { authorization: app.authorization({ method: 'PUT', path: record }) }, body: { text: `${canary} record` } };
  await mustBe(201, await world.call('PUT', record, put));
  const base = `${world.url}/t/${applicationId}`;
  const assertionOf = (id: string) =>
    signConnectJwt(
      { algorithm: 'HS256', key: sharedSecretKey(new Secret(secret())) },
      userAssertionClaims(
        { oauthClientId: app.clientKey, accountId: `${canary}-user`, tenant: base },
        { audience: base, now: Math.floor(world.clock.now() / 1_000), id },
      ),
    );
  const asked = await world.call('POST', `/t/${applicationId}/oauth2/token`, {
    body: new URLSearchParams({ grant_type: JWT_BEARER, assertion: assertionOf('first') }),
  });
  const userToken = (await mustBe(200, asked)).json.access_token as string;
  const functions = await calledFunctions(world, meta, { applicationId, ...app, canary });
  return Object.assign(app, { ...functions, userToken, assertion: assertionOf('second') });
}

/** Deploys functions of the App, calls one that ends and one that does not, and has that keep something. */
async function calledFunctions(
  world: World,
  meta: Meta,
  { applicationId, appKey, clientKey, canary }: { applicationId: ApplicationId; appKey: string; clientKey: string; canary: string },
): Promise<Pick<TwinApp, 'invocationToken' | 'endedInvocationToken' | 'webtriggerSecrets' | 'failedJob'>> {
  const { runner } = world;
  if (!(runner instanceof FakeRunner)) throw new Error('twins need the runner that runs nothing');
  const manifest = {
    app: appKey,
    functions: ['echo', 'held', 'answer'].map((key) => ({ key, handler: `index.${key}` })),
    webtriggers: [
      { key: 'signed', function: 'answer', authentication: { type: 'hmac', scheme: 'standard-webhooks' } },
      { key: 'bearer', function: 'answer', authentication: { type: 'bearer' } },
    ],
    queues: [{ key: 'work', function: 'echo' }],
    schedules: [{ key: 'yearly', function: 'echo', cron: '0 0 1 1 *' }],
    variables: [{ name: 'OF_THE_APP' }, { name: 'OF_THE_INSTALL' }],
    permissions: { scopes: ['accounts:read', 'accounts:use', 'events:read'], external: { fetch: { backend: [`${canary}.example`] } } },
    storage: { entities: [{ name: 'note', attributes: { due: { type: 'integer' }, text: { type: 'string' } }, indexes: ['due'] }] },
  };
  await meta.call('POST', `/apps/${appKey}/deployments`, { environment: 'production', manifest, code: `// ${canary} code` });
  const production = `/applications/${applicationId}/installs/${appKey}/environments/production`;
  await meta.call('PUT', production, {
    permissions: [`fetch:${canary}.example`, 'scope:accounts:read', 'scope:accounts:use', 'scope:events:read'],
  });
  await meta.call('PUT', `/apps/${appKey}/environments/production/variables/OF_THE_APP`, { value: `${canary} of the App`, secret: false });
  await meta.call('PUT', `${production}/variables/OF_THE_INSTALL`, { value: `${canary} of the install`, secret: false });
  const invoke = `/applications/${applicationId}/installs/${appKey}/invoke`;
  await meta.call('POST', invoke, { function: 'echo', payload: `${canary} payload` });
  const tokenOf = (functionKey: string) =>
    runner.calls.find((call) => call.clientKey === clientKey && call.functionKey === functionKey)?.token;
  // Answered when the world ends.
  void meta.call('POST', invoke, { function: 'held' }).catch(() => undefined);
  const until = Date.now() + 10_000;
  while (tokenOf('held') === undefined && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
  const invocationToken = tokenOf('held')!;
  const kept = await world.call('POST', '/internal/functions/storage', {
    headers: { authorization: `Bearer ${invocationToken}` },
    body: {
      op: 'transaction',
      items: [
        { op: 'set', key: `${canary}-key`, value: `${canary} value` },
        { op: 'set', key: `${canary}-key`, value: `${canary} secret`, secret: true },
        { op: 'set', key: `${canary}-key`, entity: 'note', value: { due: 1, text: `${canary} note` } },
      ],
    },
  });
  await mustBe(200, kept);
  const pushed = await world.call('POST', '/internal/functions/queue', {
    headers: { authorization: `Bearer ${invocationToken}` },
    body: { op: 'push', queue: 'work', jobs: [1, 2].map((nth) => ({ payload: `${canary} job ${nth}`, delay_seconds: 900 })) },
  });
  const failedJob: string = (await mustBe(200, pushed)).json.jobs[0];
  await world.platform.db.withTenant(applicationId, (tx) =>
    tx.execute(sql`
      update function_jobs set status = 'failed', run_at = null, finished_at = created_at, outcome = 'threw'
       where application_id = ${applicationId} and job_id = ${failedJob}`),
  );
  const webtriggerSecrets = await calledWebtriggers(world, meta, { applicationId, appKey, canary });
  return { invocationToken, endedInvocationToken: tokenOf('echo')!, webtriggerSecrets, failedJob };
}

/** Gives both web triggers of the App a secret, one of them twice, and calls the one that is signed. */
async function calledWebtriggers(
  world: World,
  meta: Meta,
  { applicationId, appKey, canary }: { applicationId: ApplicationId; appKey: string; canary: string },
): Promise<string[]> {
  const rotate = (trigger: string) =>
    meta.call('POST', `/applications/${applicationId}/installs/${appKey}/webtriggers/${trigger}/secret`, {});
  const before = await rotate('signed');
  const signing = await rotate('signed');
  const bearer = await rotate('bearer');
  const content = { id: `${canary}-message`, timestamp: Math.floor(world.clock.now() / 1_000), body: JSON.stringify({ of: canary }) };
  const called = await world.call('POST', `/f/${applicationId}/${appKey}/signed`, {
    headers: {
      'content-type': 'application/json',
      'webhook-id': content.id,
      'webhook-timestamp': String(content.timestamp),
      'webhook-signature': signWebhook([new Secret(signing.signing_secret)], content),
    },
    body: content.body,
  });
  await mustBe(200, called);
  return [before.secret, before.signing_secret, signing.secret, signing.signing_secret, bearer.secret];
}

export interface ConnectingTenant {
  readonly applicationId: ApplicationId;
  readonly apiKey: string;
  readonly redirectUrl: string;
  readonly canary: string;
}

/** How an account is connected: by whom at an OAuth service, or with which key. */
export type Connecting =
  | { readonly service: string; readonly person: { readonly id: string; readonly name: string } }
  | { readonly service: string; readonly apiKey: string };

export interface GrantedTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly account_id: number;
  readonly scope: string;
}

/** A connect flow from the pushed request to the tokens. */
export async function connectAccount(
  world: Pick<World, 'call' | 'url'>,
  upstream: FakeUpstream,
  tenant: ConnectingTenant,
  connecting: Connecting,
): Promise<GrantedTokens> {
  return redeemed(world, tenant, await authorized(world, upstream, tenant, connecting));
}

/** A connect flow up to the code. */
export async function authorized(
  world: Pick<World, 'call' | 'url'>,
  upstream: FakeUpstream,
  tenant: ConnectingTenant,
  connecting: Connecting,
): Promise<{ code: string; verifier: string }> {
  const { requestUri, verifier } = await pushed(world, tenant, { scope: connecting.service });
  const browser = new HttpBrowser(world.url, upstream.url);
  if ('person' in connecting) upstream.person = connecting.person;
  const begun = await browser.open(
    `${world.url}/v1/oauth?${new URLSearchParams({ client_id: tenant.applicationId, request_uri: requestUri })}`,
  );
  const end = 'person' in connecting ? begun : await typeKey(browser, begun, connecting.apiKey);
  const code = new URL(end.url).searchParams.get('code');
  if (code === null) throw new Error(`no code at ${end.url}: ${end.status} ${end.text.slice(0, 2000)}`);
  return { code, verifier };
}

async function typeKey(browser: HttpBrowser, visit: Visit, apiKey: string): Promise<Visit> {
  const form = formWith(visit.text, 'api_key');
  if (form === null) throw new Error(`no credential form at ${visit.url}: ${visit.text.slice(0, 2000)}`);
  return browser.submit(new URL(form.action, visit.url).href, { ...form.hidden, api_key: apiKey });
}

/** The tokens of a code. */
export async function redeemed(
  world: Pick<World, 'call' | 'url'>,
  tenant: ConnectingTenant,
  { code, verifier }: { code: string; verifier: string },
): Promise<GrantedTokens> {
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: tenant.redirectUrl,
    end_user: `${tenant.canary}-user`,
  });
  const answer = await world.call('POST', '/v1/oauth/token', { headers: { authorization: `APIKey ${tenant.apiKey}` }, body: form });
  return (await mustBe(200, answer)).json;
}

/** A pushed authorization request of the twin (RFC 9126). */
export async function pushed(
  world: Pick<World, 'call' | 'url'>,
  tenant: ConnectingTenant,
  fields: Readonly<Record<string, string>>,
): Promise<{ requestUri: string; verifier: string }> {
  const { verifier, challenge } = pkcePair();
  const form = new URLSearchParams({
    response_type: 'code',
    redirect_uri: tenant.redirectUrl,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    end_user: `${tenant.canary}-user`,
    custom_properties: JSON.stringify({ note: `${tenant.canary} property` }),
    ...fields,
  });
  const answer = await mustBe(
    201,
    await world.call('POST', '/v1/oauth/par', { headers: { authorization: `APIKey ${tenant.apiKey}` }, body: form }),
  );
  return { requestUri: answer.json.request_uri, verifier };
}

/** A flow that waits at the chooser, and one that waits at the upstream; both in one browser. */
export async function openFlow(
  world: Pick<World, 'call' | 'url'>,
  tenant: ConnectingTenant,
  oauthService: string,
  keyService: string,
): Promise<{ transaction: string; state: string; cookie: string }> {
  const browser = new HttpBrowser(world.url);
  const start = async (scope: string): Promise<Visit> => {
    const { requestUri } = await pushed(world, tenant, { scope });
    return browser.open(`${world.url}/v1/oauth?${new URLSearchParams({ client_id: tenant.applicationId, request_uri: requestUri })}`);
  };
  const chooser = await start(`${oauthService} ${keyService}`);
  const waiting = await start(oauthService);
  const transaction = new URL(chooser.url).pathname.split('/').at(-1) ?? '';
  const state = new URL(waiting.url).searchParams.get('state') ?? '';
  return { transaction, state, cookie: browser.cookieFor(chooser.url) };
}

/** A page of the App that a browser has open, and a link to it that nobody has opened. */
async function openAppPage(
  world: Pick<World, 'call' | 'url'>,
  { apiKey, canary }: ConnectingTenant,
  appKey: string,
): Promise<{ session: string; ticket: string; cookie: string }> {
  const link = async (): Promise<string> => {
    const body = {
      app_key: appKey,
      module_key: 'page',
      end_user: `${canary}-user`,
      context: { note: `${canary}-note` },
      lifetime_seconds: 86_400,
    };
    return (await mustBe(201, await world.call('POST', '/v1/module_links', { headers: { authorization: `APIKey ${apiKey}` }, body }))).json
      .url;
  };
  const browser = new HttpBrowser(world.url);
  const visit = await browser.open(await link());
  const session = new URL(visit.url).searchParams.get('session') ?? '';
  return { session, ticket: new URL(await link()).searchParams.get('ticket') ?? '', cookie: browser.cookieFor(visit.url) };
}

async function mustBe<Answer extends { status: number; text: string }>(status: number, answer: Answer): Promise<Answer> {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}: ${answer.text}`);
  return answer;
}

const credentialOf: Partial<Record<Name, Parameters<typeof defineTenantCredential>[0]>> = {
  api_key_text: 'bhk',
  access_token: 'bha',
  second_access_token: 'bha',
  refresh_token: 'bhr',
  code: 'bhc',
  request_uri: 'bhp',
  page_ticket: 'bhl',
  transaction: 'bht',
  state: 'bht',
};

const letters = (length: number): string => randomBytes(length).toString('hex').slice(0, length);

/** The same names, of things that never existed: alike in form, so that only a look into the database could tell. */
export function neverExisted(twin: Twin): Names {
  const made = (name: Name, text: string): string => {
    const prefix = credentialOf[name];
    if (prefix !== undefined) {
      const secret = defineTenantCredential(prefix).issue(twin.applicationId).secret.reveal();
      return name === 'request_uri' ? `${text.slice(0, text.lastIndexOf(':') + 1)}${secret}` : secret;
    }
    switch (name) {
      case 'application':
      case 'clone':
        return applicationIds.generate();
      case 'account':
      case 'second_account':
        return String(Number.parseInt(letters(13), 16) % 2 ** 50);
      case 'redirect_url':
        return `https://${letters(24)}.example/callback`;
      case 'oauth_service':
      case 'key_service':
      case 'spare_service':
        return `${text[0]}${letters(text.length - 1)}`;
      case 'webtrigger_authorization':
        return `Bearer ${defineTenantCredential('bhs').issue(twin.applicationId).secret.reveal()}`;
      case 'app_plugin':
        return `${letters(text.length - 4)}-key`;
      case 'callback':
        return letters(text.length);
      case 'code_verifier':
        return pkcePair().verifier;
      default:
        return text.slice(0, 3) + letters(text.length - 3);
    }
  };
  return Object.fromEntries(Object.entries(twin.names).map(([name, text]) => [name, made(name as Name, text)])) as Names;
}
