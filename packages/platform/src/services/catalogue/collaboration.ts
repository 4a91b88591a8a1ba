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
    permanentErrors: ['invalid_refresh_token', 'token_revoked', 'token_expired', 'account_inactive'],
    identityQualifier: '/team_id',
    keep: { team_id: '/team/id', team_name: '/team/name' },
    revocation: 'bearer',
  },
  documentation: 'https://docs.slack.dev/authentication/installing-with-oauth',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://docs.slack.dev/reference/methods/oauth.v2.access',
    'https://docs.slack.dev/authentication/using-token-rotation',
    'https://docs.slack.dev/authentication/using-pkce',
    'https://docs.slack.dev/reference/scopes/channels.history',
    'github.com/slackapi: slack-api-specs, node-slack-sdk (OauthV2AccessResponse), python-slack-sdk (token rotation)',
  ],
  refreshNotes:
    'Tokens do not end unless token rotation is on for the app; then they live twelve hours and the refresh token is replaced on every refresh. A refresh answers with the token at the top level, its token_type "user".',
  notes: [
    'Errors come with status 200 and "ok": false.',
    'Slack asks for the client by HTTP Basic and takes the body only as a second choice.',
    'Ids of people are unique within a workspace only, so the workspace stands before them.',
    'PKCE has to be switched on for the app at Slack, for good, makes it a public client and lets refresh tokens end after 30 days; it is not assumed.',
    'Revoking takes the access token itself: one that has expired cannot be revoked.',
    "not confirmed: with which code a dead refresh token is answered; the listed ones are Slack's general codes for dead tokens.",
    'not confirmed: that auth.revoke also ends the refresh token of an app with token rotation.',
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
  // No scope reads repositories without writing: `public_repo` writes too, and what is public can be read without any.
  scopes: { development: { default: ['repo'], read: [] } },
  quirks: { permanentErrors: ['bad_refresh_token'], revocation: 'github' },
  documentation: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
  checked: '2026-11-22',
  checkedAgainst: [
    'github.com/github/docs: authorizing-oauth-apps, scopes-for-oauth-apps, refreshing-user-access-tokens',
    'https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication',
    'https://docs.github.com/en/rest/apps/oauth-applications',
    'https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors',
  ],
  refreshNotes:
    'OAuth apps get a token without an end and no refresh token. GitHub Apps get eight hours and a refresh token of six months; a refresh replaces it and ends the old pair at once. A dead one is "bad_refresh_token" with status 200, as public clients report.',
  notes: [
    'Answers are forms unless JSON is asked for; errors have status 200.',
    'PKCE is supported since July 2025, S256 only.',
    'Granted scopes are divided by commas, those that another one includes are left out, and the person may grant less.',
    'The permission "read" reads what is public; private repositories need "default", which also writes.',
    'For a GitHub App scopes mean nothing: its permissions are set at GitHub.',
    'Revoking names the access token: of a GitHub App with expiring tokens the refresh token may outlive it.',
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
  checkedAgainst: [
    'github.com/gitlabhq/gitlabhq: doc/api/oauth2.md, doc/integration/oauth_provider.md, config/initializers/doorkeeper.rb',
    'github.com/doorkeeper-gem/doorkeeper: refresh_token_request.rb',
  ],
  refreshNotes: 'Access tokens live two hours. A refresh replaces both tokens and ends the old ones.',
  notes: [
    'A self-managed GitLab is a custom service with its own address.',
    "GitLab's examples repeat redirect_uri when refreshing; Doorkeeper, which answers, does not look at it, and we do not send it.",
  ],
});
