import { catalogueEntry } from './entry.ts';

/** Kloudless had no Jira; `jira` leads here because that is what people ask for. */
export const atlassian = catalogueEntry({
  definition: {
    id: 'atlassian',
    friendly_name: 'Atlassian',
    apis: ['itsm', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://auth.atlassian.com/authorize',
      token_endpoint: 'https://auth.atlassian.com/oauth/token',
      scopes: ['read:jira-work', 'write:jira-work', 'read:jira-user'],
      pkce: false,
      token_endpoint_auth_method: 'client_secret_post',
      extra_authorize_params: { audience: 'api.atlassian.com', prompt: 'consent' },
    },
    api: { base_url: 'https://api.atlassian.com' },
    identity: { url: '/me', id: '/account_id', name: '/email' },
  },
  category: 'itsm',
  aliases: ['jira', 'confluence'],
  baseScopes: ['offline_access', 'read:me'],
  scopes: { itsm: { default: ['read:jira-work', 'write:jira-work', 'read:jira-user'], read: ['read:jira-work', 'read:jira-user'] } },
  // Both codes mean here the other of what they usually mean: the grant is dead, and the client secret is wrong.
  quirks: { permanentErrors: ['unauthorized_client'], clientErrors: ['access_denied'] },
  documentation: 'https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/',
    'https://developer.atlassian.com/cloud/oauth/getting-started/refresh-tokens',
    'https://community.developer.atlassian.com/t/updated-31-january-2022-action-required-deprecating-persistent-refresh-tokens/54172',
    'github.com/MrRefactoring/jira.js (error codes), better-auth and next-auth (identity)',
  ],
  refreshNotes:
    'Access tokens live an hour. A refresh token needs offline_access, is replaced on every refresh and lives 90 days without use, a year at most; after that the person has to consent again. The old one still works for ten minutes; used later it ends all of them. A dead one is invalid_grant with status 403.',
  notes: [
    'A token reaches several sites: GET /oauth/token/accessible-resources names them, calls go to /ex/jira/{cloudid}/….',
    'PKCE and a revocation endpoint are not documented for 3LO apps; the person removes the app at Atlassian.',
    'The identity needs the User identity API to be added to the app in the developer console.',
    'not confirmed by Atlassian, reported by public clients: unauthorized_client for a dead refresh token, access_denied from the token endpoint for a wrong client secret.',
  ],
});

export const salesforce = catalogueEntry({
  definition: {
    id: 'salesforce',
    friendly_name: 'Salesforce',
    apis: ['crm', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://login.salesforce.com/services/oauth2/authorize',
      token_endpoint: 'https://login.salesforce.com/services/oauth2/token',
      revocation_endpoint: 'https://login.salesforce.com/services/oauth2/revoke',
      scopes: ['api'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://login.salesforce.com/services/data' },
    identity: { url: 'https://login.salesforce.com/services/oauth2/userinfo', id: '/user_id', name: '/preferred_username' },
  },
  category: 'crm',
  baseScopes: ['refresh_token', 'openid'],
  scopes: { crm: { default: ['api'], read: ['api'] } },
  quirks: {
    keep: { instance_url: '/instance_url' },
    baseUrlFrom: { kept: 'instance_url', path: '', hosts: ['*.salesforce.com', '*.cloudforce.com'] },
    identityQualifier: '/organization_id',
    permanentErrors: ['inactive_user', 'inactive_org'],
  },
  documentation: 'https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm&type=5',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://help.salesforce.com/HTViewHelpDoc?id=remoteaccess_oauth_web_server_flow.htm',
    'https://help.salesforce.com/HTViewHelpDoc?id=remoteaccess_using_userinfo_endpoint.htm',
    'https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm',
    'https://help.salesforce.com/apex/HTViewHelpDoc?id=remoteaccess_oauth_refresh_token_flow.htm',
    'github.com/forcedotcom/sfdx-core: sfdcUrl.ts (domains); better-auth (identity)',
  ],
  refreshNotes:
    'Answers name no lifetime: the session setting of the app or organization decides, and refresh follows a 401. The refresh token lives until revoked unless the policy of the app says otherwise; with rotation switched on it is replaced on every refresh. A dead one is invalid_grant.',
  notes: [
    "Every organization has its own API address: it comes as instance_url in the token answer and must lie within Salesforce's domains.",
    'Sandboxes sign in at test.salesforce.com: a custom service with that address. So do organizations that allow only their own domain, and Government Cloud.',
    'There is no scope for reading only: what a token may write is decided by the permissions of the person.',
    'not confirmed: the error codes inactive_user and inactive_org at the token endpoint.',
  ],
});

const HUBSPOT_READ = ['crm.objects.contacts.read', 'crm.objects.companies.read', 'crm.objects.deals.read'];
const HUBSPOT_ALL = [...HUBSPOT_READ, 'crm.objects.contacts.write', 'crm.objects.companies.write', 'crm.objects.deals.write'];

export const hubspot = catalogueEntry({
  definition: {
    id: 'hubspot',
    friendly_name: 'HubSpot',
    apis: ['crm', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://app.hubspot.com/oauth/authorize',
      token_endpoint: 'https://api.hubapi.com/oauth/2026-03/token',
      revocation_endpoint: 'https://api.hubapi.com/oauth/2026-03/token/revoke',
      scopes: HUBSPOT_ALL,
      pkce: false,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://api.hubapi.com' },
    // No name: the answer has none, and its `uiDomain` is the same for everyone.
    identity: { url: '/account-info/2026-03/details', id: '/portalId' },
  },
  category: 'crm',
  baseScopes: ['oauth'],
  scopes: { crm: { default: HUBSPOT_ALL, read: HUBSPOT_READ } },
  quirks: { keep: { hub_id: '/hub_id' } },
  documentation: 'https://developers.hubspot.com/docs/api-reference/latest/authentication/manage-oauth-tokens',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://developers.hubspot.com/docs/api-reference/latest/authentication/manage-oauth-tokens',
    'https://developers.hubspot.com/docs/api-reference/latest/authentication/oauth-tokens/revoke-token',
    'https://developers.hubspot.com/changelog/v1-oauth-api-deprecation',
    'https://developers.hubspot.com/changelog/new-oauth-v3-api-endpoints-and-standardized-error-responses',
    'https://developers.hubspot.com/docs/api-reference/latest/account/account-information/guide',
  ],
  refreshNotes:
    'Access tokens live 30 minutes. The refresh token lives until the app is uninstalled or access is removed. A dead one is invalid_grant, with "status": "BAD_REFRESH_TOKEN" beside it.',
  notes: [
    'The older /oauth/v1 endpoints end on 16 February 2027; the dated ones are used.',
    'An account is a HubSpot portal, not a person.',
    'The scopes must be those of the app in HubSpot: one that the app does not list, or the portal cannot give, ends the flow.',
    'Revoking ends the refresh token; the app stays installed.',
    'not confirmed: whether a refresh replaces the refresh token (public clients say both; what comes is kept either way).',
    'not confirmed: the members hub_id and scopes of the answer of the dated endpoint; "scopes" is not read, so what was asked for counts as granted.',
    'not confirmed: PKCE at the authorization endpoint for ordinary apps (the token endpoint has a code_verifier).',
    'not confirmed: that a revoked refresh token also ends the access tokens it brought; the older API said that it does not.',
  ],
});
