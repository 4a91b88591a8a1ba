import type { Secret } from '@bulkhead/base';

/** The OAuth key at the upstream: an Application's own, or one it was given. */
export interface UpstreamClient {
  readonly clientId: string;
  /** Null for a public client (`token_endpoint_auth_method: none`). */
  readonly clientSecret: Secret | null;
}

/** What an upstream gave us for one account. */
export interface UpstreamTokens {
  readonly accessToken: Secret;
  readonly refreshToken?: Secret;
  /** Milliseconds since the epoch. Absent where the upstream did not say, or said nonsense: then refresh follows a 401. */
  readonly expiresAt?: number;
  /** Upstream scopes. Absent where the upstream was silent about them on a refresh: then they are what they were. */
  readonly grantedScopes?: readonly string[];
  /** Claims of a checked ID token, where the service's identity is read from it. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>>;
  /** The subject of an ID token that came along, as it stands there: for comparing, no proof of anything. */
  readonly idTokenSubject?: string;
  /** The members of the answer that the catalogue says to keep with the account, such as Salesforce's `instance_url`. */
  readonly kept: Readonly<Record<string, string>>;
}

/** How a refresh ended: a value, because each end is normal and callers branch on it. */
export type RefreshResult =
  | { readonly kind: 'ok'; readonly tokens: UpstreamTokens & { readonly refreshToken: Secret }; readonly rotated: boolean }
  /** The refresh token is dead or the client is refused: the account is broken until it is connected again or the key is mended. */
  | { readonly kind: 'permanent'; readonly reason: 'grant' | 'client'; readonly error: string }
  /** Try again later; the old tokens may still be good. */
  | { readonly kind: 'transient'; readonly error: string; readonly retryAfterSeconds?: number };

/** How a revocation ended. Disconnecting an account goes on whatever it says. */
export type RevokeResult =
  | { readonly kind: 'revoked' }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'failed'; readonly error: string };

/** Whose account it is, as the upstream says. `id` never changes for one person; `name` is for people. */
export interface UpstreamIdentity {
  readonly id: string;
  readonly name: string;
}
