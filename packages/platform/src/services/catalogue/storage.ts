import { catalogueEntry } from './entry.ts';

const GOOGLE_SCOPE = 'https://www.googleapis.com/auth';

/** Kloudless's id was `gdrive`; it is kept, `google` is another name for it. */
export const google = catalogueEntry({
  definition: {
    id: 'gdrive',
    friendly_name: 'Google Drive',
    apis: ['storage', 'calendar', 'raw'],
    auth: {
      type: 'oauth2',
      issuer: 'https://accounts.google.com',
      authorization_endpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
      token_endpoint: 'https://oauth2.googleapis.com/token',
      revocation_endpoint: 'https://oauth2.googleapis.com/revoke',
      scopes: [`${GOOGLE_SCOPE}/drive`],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_post',
      // Without `prompt=consent` a second authorization brings no refresh token.
      extra_authorize_params: { access_type: 'offline', prompt: 'consent', include_granted_scopes: 'false' },
    },
    api: { base_url: 'https://www.googleapis.com' },
    identity: { url: 'https://openidconnect.googleapis.com/v1/userinfo', id: '/sub', name: '/email' },
  },
  category: 'storage',
  aliases: ['google'],
  baseScopes: ['openid', 'email'],
  scopes: {
    storage: { default: [`${GOOGLE_SCOPE}/drive`], read: [`${GOOGLE_SCOPE}/drive.readonly`] },
    calendar: { default: [`${GOOGLE_SCOPE}/calendar`], read: [`${GOOGLE_SCOPE}/calendar.readonly`] },
  },
  quirks: {
    scopeAliases: { email: `${GOOGLE_SCOPE}/userinfo.email`, profile: `${GOOGLE_SCOPE}/userinfo.profile` },
    revocation: 'token_only',
  },
  documentation: 'https://developers.google.com/identity/protocols/oauth2/web-server',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://developers.google.com/identity/openid-connect/reference',
    'https://developers.google.com/identity/protocols/oauth2',
    'published copies of https://accounts.google.com/.well-known/openid-configuration; better-auth, arctic, Nango',
  ],
  refreshNotes:
    'Access tokens live about an hour. The refresh token is not rotated; it dies after six months without use, beyond a number of live ones per user and client, on a password change where Gmail scopes are held, and after seven days while the consent screen is in testing (the answer then has refresh_token_expires_in).',
  notes: [
    'The person can untick single scopes: compare what was granted.',
    "Scopes of Drive are restricted: an own OAuth key needs Google's verification.",
    'The scopes "email" and "profile" come back under their long names.',
    'Revoking a token ends all that the person granted to the OAuth key, as its users report: other tokens of the two go with it.',
    'not confirmed: the number of live refresh tokens per user and client (100, from memory).',
    'not confirmed: that the revocation endpoint ignores token_type_hint, which RFC 7009 §2.1 lets us send.',
  ],
});

const GRAPH_SCOPES = [
  'User.Read',
  'Files.ReadWrite.All',
  'Files.Read.All',
  'Calendars.ReadWrite',
  'Calendars.Read',
  'Mail.ReadWrite',
  'Mail.Send',
  'Mail.Read',
];

/** Kloudless had `skydrive` (personal) and `onedrivebiz`; Graph serves both, so both names lead here. */
export const microsoft = catalogueEntry({
  definition: {
    id: 'onedrive',
    friendly_name: 'Microsoft OneDrive',
    apis: ['storage', 'calendar', 'email', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
      token_endpoint: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
      scopes: ['Files.ReadWrite.All'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_post',
      extra_authorize_params: { prompt: 'select_account' },
    },
    api: { base_url: 'https://graph.microsoft.com/v1.0' },
    identity: { url: '/me', id: '/id', name: '/userPrincipalName' },
  },
  category: 'storage',
  aliases: ['onedrivebiz', 'skydrive', 'microsoft'],
  baseScopes: ['offline_access', 'User.Read'],
  scopes: {
    storage: { default: ['Files.ReadWrite.All'], read: ['Files.Read.All'] },
    calendar: { default: ['Calendars.ReadWrite'], read: ['Calendars.Read'] },
    email: { default: ['Mail.ReadWrite', 'Mail.Send'], read: ['Mail.Read'] },
  },
  quirks: {
    permanentErrors: ['interaction_required', 'invalid_resource'],
    // Both forms are in Microsoft's own examples.
    scopeAliases: Object.fromEntries(GRAPH_SCOPES.map((scope) => [scope, `https://graph.microsoft.com/${scope}`])),
  },
  documentation: 'https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow',
  checked: '2026-11-22',
  checkedAgainst: [
    'github.com/MicrosoftDocs/entra-docs: v2-oauth2-auth-code-flow.md, refresh-tokens.md',
    'github.com/microsoftgraph/microsoft-graph-docs-contrib: auth-v2-user.md, user-get.md, driveitem-get-permissions.md',
    'https://learn.microsoft.com/entra/identity-platform/scopes-oidc',
    'better-auth, arctic, Nango',
  ],
  refreshNotes:
    'A refresh token needs the scope offline_access and lives 90 days. Every refresh brings a new one; the old one is not revoked and has to be thrown away. Administrators may revoke it; the error is then invalid_grant or interaction_required.',
  notes: [
    'No revocation endpoint: a disconnected account is forgotten here; the person can remove the app at Microsoft.',
    'The issuer of the common endpoint differs per directory, so none is set and the identity comes from Graph.',
    'The scope offline_access never appears among the granted scopes: the refresh token itself is the sign.',
    'Granted scopes may come short (Mail.Read) or long (https://graph.microsoft.com/Mail.Read).',
    'In some directories only an administrator may consent.',
    'not confirmed: the scopes for mail and calendar with personal accounts (those for files are).',
  ],
});

const DROPBOX_READ = ['files.metadata.read', 'files.content.read', 'sharing.read'];
const DROPBOX_ALL = [...DROPBOX_READ, 'files.metadata.write', 'files.content.write', 'sharing.write'];

export const dropbox = catalogueEntry({
  definition: {
    id: 'dropbox',
    friendly_name: 'Dropbox',
    apis: ['storage', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://www.dropbox.com/oauth2/authorize',
      token_endpoint: 'https://api.dropboxapi.com/oauth2/token',
      revocation_endpoint: 'https://api.dropboxapi.com/2/auth/token/revoke',
      scopes: DROPBOX_ALL,
      pkce: true,
      token_endpoint_auth_method: 'client_secret_basic',
      extra_authorize_params: { token_access_type: 'offline' },
    },
    api: { base_url: 'https://api.dropboxapi.com/2' },
    identity: { url: '/users/get_current_account', id: '/account_id', name: '/email' },
  },
  category: 'storage',
  baseScopes: ['account_info.read'],
  scopes: {
    storage: { default: DROPBOX_ALL, read: DROPBOX_READ },
  },
  quirks: { identityByPost: true, revocation: 'bearer' },
  documentation: 'https://developers.dropbox.com/oauth-guide',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://dropbox.tech/developers/using-oauth-2-0-with-offline-access',
    'https://dropbox.tech/developers/migrating-app-permissions-and-access-tokens',
    'github.com/dropbox: dropbox-api-spec (auth, users, files, sharing), dropbox-sdk-js (auth.js)',
    'better-auth, arctic, Nango',
  ],
  refreshNotes:
    'Access tokens live four hours. A refresh token comes only with token_access_type=offline; it is not rotated and does not end by itself.',
  notes: [
    "File contents are served by content.dropboxapi.com, another host than the rest: not reachable through this service's pass-through.",
    'The identity is asked for by POST without a body.',
    'Revoking takes the access token itself and ends its refresh token too; one that has expired cannot be revoked.',
    'not confirmed by Dropbox: a code_verifier together with the client secret. Its SDK sends one or the other, public clients send both.',
  ],
});

export const box = catalogueEntry({
  definition: {
    id: 'box',
    friendly_name: 'Box',
    apis: ['storage', 'raw'],
    auth: {
      type: 'oauth2',
      authorization_endpoint: 'https://account.box.com/api/oauth2/authorize',
      token_endpoint: 'https://api.box.com/oauth2/token',
      revocation_endpoint: 'https://api.box.com/oauth2/revoke',
      scopes: ['root_readwrite'],
      pkce: false,
      token_endpoint_auth_method: 'client_secret_post',
    },
    api: { base_url: 'https://api.box.com/2.0' },
    identity: { url: '/users/me', id: '/id', name: '/login' },
  },
  category: 'storage',
  scopes: { storage: { default: ['root_readwrite'], read: ['root_readonly'] } },
  documentation: 'https://developer.box.com/guides/authentication/oauth2',
  checked: '2026-11-22',
  checkedAgainst: [
    'https://developer.box.com/guides/authentication/tokens/refresh',
    'https://developer.box.com/reference/post-oauth2-token--refresh',
    'github.com/box: box-openapi (openapi.json), developer.box.com (authentication guides, scopes.md)',
  ],
  refreshNotes:
    'Access tokens live about an hour. A refresh token is good for one use within 60 days and is replaced on every refresh: losing the answer loses the account.',
  notes: [
    'PKCE is not documented: a code_verifier is neither asked for nor checked.',
    'The scopes an app may ask for are also set in the Box console; asking for fewer narrows the token.',
    'Companies with Box Verified Enterprise sign in at ent.box.com: a custom service with that address.',
  ],
});
