import { createHash, randomBytes } from 'node:crypto';
import { type DemoUpstream, harbourService, lanternService } from '../upstream/index.ts';
import { COMPANY, type Customer } from './customer.ts';
import { type HeldCredential, heldCredential } from './held-credential.ts';
import { apiKey, bearer, type BulkheadRequest } from './request.ts';

const ACCESS_TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** One configuration for all customers. `description` marks what the demo made, so that it can be told from what others made. */
export function createTemplate(metaToken: HeldCredential, description: string): BulkheadRequest {
  const json = {
    name: `${COMPANY} template`,
    description,
    environment: 'development',
    events_enabled: true,
    branding: { display_name: COMPANY },
  };
  return { method: 'POST', path: '/v1/meta/applications', credential: bearer(metaToken), json };
}

export const MODULE_LINKS = '/v1/module_links';
const below = (applicationId: string, child: string) => `/v1/meta/applications/${applicationId}/${child}`;

export function addHarbour(metaToken: HeldCredential, applicationId: string, upstream: DemoUpstream): BulkheadRequest {
  return { method: 'POST', path: below(applicationId, 'services'), credential: bearer(metaToken), json: harbourService(upstream) };
}

export function addLantern(metaToken: HeldCredential, applicationId: string, upstream: DemoUpstream): BulkheadRequest {
  return { method: 'POST', path: below(applicationId, 'services'), credential: bearer(metaToken), json: lanternService(upstream) };
}

/** The client secret is written here once; clones get it sealed under keys of their own. */
export function addOAuthKey(metaToken: HeldCredential, applicationId: string, { client }: Pick<DemoUpstream, 'client'>): BulkheadRequest {
  const json = {
    service: 'harbour',
    client_id: client.client_id,
    client_secret: heldCredential('HARBOUR_CLIENT_SECRET', client.client_secret),
  };
  return { method: 'POST', path: below(applicationId, 'oauth_keys'), credential: bearer(metaToken), json };
}

export function addRedirectUri(metaToken: HeldCredential, applicationId: string, url: string): BulkheadRequest {
  return { method: 'POST', path: below(applicationId, 'redirect_uris'), credential: bearer(metaToken), json: { url } };
}

/** Its answer holds the secret that signs what is sent there. */
export function addWebhook(metaToken: HeldCredential, applicationId: string, url: string): BulkheadRequest {
  return { method: 'POST', path: below(applicationId, 'webhooks'), credential: bearer(metaToken), json: { url, events: ['account.*'] } };
}

/** The whole provisioning of a customer. */
export function cloneTemplate(metaToken: HeldCredential, templateId: string, customer: Customer): BulkheadRequest {
  const json = {
    source: templateId,
    name: customer.name,
    end_customer: customer.key,
    branding: { primary_colour: customer.colour },
  };
  return { method: 'POST', path: '/v1/meta/applications', credential: bearer(metaToken), json };
}

export function deleteApplication(metaToken: HeldCredential, applicationId: string): BulkheadRequest {
  return { method: 'DELETE', path: `/v1/meta/applications/${applicationId}`, credential: bearer(metaToken) };
}

/** The newest thousand: enough for what a demo leaves behind. */
export function listApplications(metaToken: HeldCredential): BulkheadRequest {
  return { method: 'GET', path: '/v1/meta/applications?page_size=1000&environment=development', credential: bearer(metaToken) };
}

/** The company's half of a flow that was sent ahead: kept until the answer comes. */
export interface Pending {
  readonly state: string;
  readonly verifier: string;
  readonly endUser: string;
  readonly redirectUri: string;
}

export function newPending(endUser: string, redirectUri: string): Pending {
  return { state: randomBytes(16).toString('base64url'), verifier: randomBytes(32).toString('base64url'), endUser, redirectUri };
}

/** RFC 9126 §2.1, RFC 7636 §4.3. `scope`: the services to choose from, divided by spaces; with a single one nothing is to be chosen. */
export function pushAuthorization(key: HeldCredential, applicationId: string, scope: string, pending: Pending): BulkheadRequest {
  const form = {
    client_id: applicationId,
    response_type: 'code',
    redirect_uri: pending.redirectUri,
    scope,
    state: pending.state,
    code_challenge: createHash('sha256').update(pending.verifier).digest('base64url'),
    code_challenge_method: 'S256',
    end_user: pending.endUser,
  };
  return { method: 'POST', path: '/v1/oauth/par', credential: apiKey(key), form };
}

/** Where the end user's browser goes (RFC 9126 §4). */
export function connectUrl(baseUrl: string, applicationId: string, requestUri: string): string {
  const query = new URLSearchParams({ client_id: applicationId, request_uri: requestUri });
  return `${baseUrl}/v1/oauth?${query.toString()}`;
}

/** RFC 6749 §4.1.3. */
export function redeemCode(key: HeldCredential, code: HeldCredential, pending: Pending): BulkheadRequest {
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: pending.redirectUri,
    code_verifier: pending.verifier,
    end_user: pending.endUser,
  };
  return { method: 'POST', path: '/v1/oauth/token', credential: apiKey(key), form };
}

/** An App becomes known to the organization. It is fetched now, and again whenever it is registered again. */
export function registerApp(metaToken: HeldCredential, descriptorUrl: string): BulkheadRequest {
  return { method: 'POST', path: '/v1/meta/apps', credential: bearer(metaToken), json: { descriptor_url: descriptorUrl } };
}

/** Code of the App that runs at Bulkhead, in a process of its own for each customer. */
export function deployFunctions(
  metaToken: HeldCredential,
  appKey: string,
  { manifest, code }: { readonly manifest: unknown; readonly code: string },
): BulkheadRequest {
  const json = { environment: 'production', manifest, code };
  return { method: 'POST', path: `/v1/meta/apps/${appKey}/deployments`, credential: bearer(metaToken), json };
}

/** The web trigger of its function for one customer. Anybody who has the address may call it. */
export function callWebTrigger(applicationId: string, appKey: string): BulkheadRequest {
  return { method: 'GET', path: `/f/${applicationId}/${appKey}/counted` };
}

export function installApp(metaToken: HeldCredential, applicationId: string, appKey: string): BulkheadRequest {
  const json = { app_key: appKey, scopes: ['READ'] };
  return { method: 'POST', path: below(applicationId, 'installs'), credential: bearer(metaToken), json };
}

/** A link that opens the App's panel beside an issue, once, for one person. */
export function linkToPanel(key: HeldCredential, appKey: string, endUser: string, issue: string): BulkheadRequest {
  const json = { app_key: appKey, module_key: 'notes', end_user: endUser, context: { issue: { key: issue } } };
  return { method: 'POST', path: MODULE_LINKS, credential: apiKey(key), json };
}

/** The log of what Bulkhead has sent to the App. */
export function listAppCalls(metaToken: HeldCredential, applicationId: string, appKey: string): BulkheadRequest {
  return { method: 'GET', path: below(applicationId, `installs/${appKey}/deliveries`), credential: bearer(metaToken) };
}

/** Which account a Bearer token opens: its service, its health. */
export function readAccount(held: HeldCredential, accountId: string): BulkheadRequest {
  return { method: 'GET', path: `/v1/accounts/${accountId}`, credential: bearer(held) };
}

/** A call of the upstream API through the account. `path` begins with a slash. */
export function passThrough(credential: BulkheadRequest['credential'], accountId: string, path: string): BulkheadRequest {
  return { method: 'GET', path: `/v1/accounts/${accountId}/proxy${path}`, ...(credential === undefined ? {} : { credential }) };
}

export function upload(held: HeldCredential, accountId: string, name: string): BulkheadRequest {
  return {
    method: 'POST',
    path: `/v1/accounts/${accountId}/proxy/files?name=${encodeURIComponent(name)}`,
    credential: bearer(held),
    text: 'Hello from the demo.',
  };
}

/** RFC 8693, RFC 9396: from the key of all accounts to one account, one method, one path, ten minutes. */
export function exchangeKey(key: HeldCredential, accountId: string, pathPrefix: string): BulkheadRequest {
  const form = {
    grant_type: ACCESS_TOKEN_EXCHANGE,
    subject_token: key,
    subject_token_type: 'urn:bulkhead:token-type:api-key',
    account_id: accountId,
    expires_in: '600',
    authorization_details: JSON.stringify([{ type: 'passthrough', methods: ['GET'], path_prefix: pathPrefix }]),
  };
  return { method: 'POST', path: '/v1/oauth/token', credential: apiKey(key), form };
}
