import { catalogueEntry } from './entry.ts';

export const slack = catalogueEntry({
  definition: {
    id: 'slack',
    friendly_name: 'Slack',
    apis: ['messaging', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://slack.com/oauth/v2/authorize',
      token_endpoint: 'https://slack.com/api/oauth.v2.access',
      revocation_endpoint: 'https://slack.com/api/auth.revoke',
      scopes: ['channels:read', 'channels:history', 'chat:write', 'users:read'],
      scope_separator: ',',
      pkce: false,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    api: { base_url: 'https://slack.com/api' },
    identity: { url: '/auth.test', id: '/user_id', name: '/user' },
  },
  category: 'messaging',
  scopes: {
    messaging: {
      default: ['channels:read', 'channels:history', 'chat:write', 'users:read'],
      read: ['channels:read', 'channels:history', 'users:read'],
    },
  },
  quirks: {
    // An account is a person: their token is asked for by `user_scope` and comes in `authed_user`.
    scopeParameter: 'user_scope',
    tokenPointer: '/authed_user',
    bearerTokenTypes: ['user', 'bot'],
    permanentErrors: ['invalid_refresh_token', 'token_revoked', 'token_expired', 'account_inactive', 'invalid_code'],
    identityQualifier: '/team_id',
    keep: { team_id: '/team/id', team_name: '/team/name' },
    revocation: 'bearer',
  },
  documentation: 'https://docs.slack.dev/authentication/installing-with-oauth',
  checked: '2026-11-22',
  refreshNotes:
    'Tokens do not end unless token rotation is on for the app; then they live twelve hours and the refresh token is replaced on every refresh. A refresh answers with the token at the top level.',
  notes: [
    'Errors come with status 200 and "ok": false.',
    'Ids of people are unique within a workspace only, so the workspace stands before them.',
    'PKCE has to be switched on for the app at Slack, for good; it is not assumed.',
  ],
});

export const github = catalogueEntry({
  definition: {
    id: 'github',
    friendly_name: 'GitHub',
    apis: ['development', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://github.com/login/oauth/authorize',
      token_endpoint: 'https://github.com/login/oauth/access_token',
      revocation_endpoint: 'https://api.github.com/applications/{client_id}/token',
      scopes: ['repo'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://api.github.com' },
    identity: { url: '/user', id: '/id', name: '/login' },
  },
  category: 'development',
  baseScopes: ['read:user'],
  scopes: { development: { default: ['repo'], read: ['public_repo'] } },
  quirks: { permanentErrors: ['bad_refresh_token'], revocation: 'github' },
  documentation: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
  checked: '2026-11-22',
  refreshNotes:
    'OAuth apps get a token without an end and no refresh token. GitHub Apps get eight hours and a refresh token of six months that is replaced on every refresh; a dead one is "bad_refresh_token" with status 200.',
  notes: [
    'Answers are forms unless JSON is asked for; errors have status 200.',
    'Granted scopes are divided by commas.',
    'For a GitHub App scopes mean nothing: its permissions are set at GitHub.',
    'The API demands a User-Agent.',
  ],
});

export const gitlab = catalogueEntry({
  definition: {
    id: 'gitlab',
    friendly_name: 'GitLab',
    apis: ['development', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://gitlab.com/oauth/authorize',
      token_endpoint: 'https://gitlab.com/oauth/token',
      revocation_endpoint: 'https://gitlab.com/oauth/revoke',
      scopes: ['api'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://gitlab.com/api/v4' },
    identity: { url: '/user', id: '/id', name: '/username' },
  },
  category: 'development',
  baseScopes: ['read_user'],
  scopes: { development: { default: ['api'], read: ['read_api'] } },
  documentation: 'https://docs.gitlab.com/api/oauth2/',
  checked: '2026-11-22',
  refreshNotes: 'Access tokens live two hours. A refresh replaces both tokens and ends the old ones at once.',
  notes: ['A self-managed GitLab is a custom service with its own address.'],
});

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
  quirks: { permanentErrors: ['unauthorized_client'] },
  documentation: 'https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/',
  checked: '2026-11-22',
  refreshNotes:
    'Access tokens live an hour. A refresh token needs offline_access, is replaced on every refresh and lives 90 days without use, a year at most.',
  notes: [
    'A token reaches several sites: GET /oauth/token/accessible-resources names them, calls go to /ex/jira/{cloudid}/….',
    'PKCE and a revocation endpoint are not documented for 3LO apps.',
    'The identity needs the User identity API to be added to the app in the developer console.',
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
    baseUrlFrom: {
      kept: 'instance_url',
      path: '',
      hosts: ['*.my.salesforce.com', '*.salesforce.com', '*.cloudforce.com', '*.my.salesforce.mil'],
    },
    identityQualifier: '/organization_id',
    permanentErrors: ['inactive_user', 'inactive_org'],
  },
  documentation: 'https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_web_server_flow.htm',
  checked: '2026-11-22',
  refreshNotes:
    'Answers name no lifetime: the session setting of the organization decides, and refresh follows a 401. The refresh token lives until revoked unless the policy of the connected app says otherwise.',
  notes: [
    "Every organization has its own API address: it comes as instance_url in the token answer and must lie within Salesforce's domains.",
    'Sandboxes sign in at test.salesforce.com: a custom service with that address.',
  ],
});

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
      scopes: [
        'crm.objects.contacts.read',
        'crm.objects.contacts.write',
        'crm.objects.companies.read',
        'crm.objects.companies.write',
        'crm.objects.deals.read',
        'crm.objects.deals.write',
      ],
      pkce: false,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://api.hubapi.com' },
    identity: { url: '/account-info/v3/details', id: '/portalId', name: '/uiDomain' },
  },
  category: 'crm',
  baseScopes: ['oauth'],
  scopes: {
    crm: {
      default: [
        'crm.objects.contacts.read',
        'crm.objects.contacts.write',
        'crm.objects.companies.read',
        'crm.objects.companies.write',
        'crm.objects.deals.read',
        'crm.objects.deals.write',
      ],
      read: ['crm.objects.contacts.read', 'crm.objects.companies.read', 'crm.objects.deals.read'],
    },
  },
  quirks: { permanentErrors: ['BAD_REFRESH_TOKEN'], keep: { hub_id: '/hub_id' } },
  documentation: 'https://developers.hubspot.com/docs/api-reference/latest/authentication/manage-oauth-tokens',
  checked: '2026-11-22',
  refreshNotes: 'Access tokens live 30 minutes. The refresh token is not rotated and lives until the app is uninstalled.',
  notes: [
    'The older /oauth/v1 endpoints end on 16 February 2027; the dated ones are used.',
    'An account is a HubSpot portal, not a person.',
    'PKCE at the authorization endpoint is not documented for ordinary apps.',
  ],
});
