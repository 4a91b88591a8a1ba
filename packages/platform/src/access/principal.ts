import type { ApplicationId } from '@bulkhead/base';
import type { AppScope } from '@bulkhead/protocol';

/** The kinds of credential a route may accept. `client` is an OAuth client: an Application, authenticated by an API key or public. */
export type CredentialKind = 'meta_token' | 'api_key' | 'bearer' | 'client' | 'install' | 'invocation';

export interface MetaTokenPrincipal {
  readonly kind: 'meta_token';
  readonly organizationId: string;
  readonly metaTokenId: string;
  readonly scopes: readonly string[];
}

export interface ApiKeyPrincipal {
  readonly kind: 'api_key';
  readonly applicationId: ApplicationId;
  readonly apiKeyId: string;
}

/** Limits of an exchanged token (RFC 9396 `authorization_details` of type `passthrough`). */
export interface PassthroughDetail {
  readonly type: 'passthrough';
  readonly methods?: readonly string[] | undefined;
  readonly path_prefix?: string | undefined;
  readonly origins?: readonly string[] | undefined;
}

export interface BearerPrincipal {
  readonly kind: 'bearer';
  readonly applicationId: ApplicationId;
  readonly accountId: number;
  readonly tokenHash: Buffer;
  /** Kloudless scope text, e.g. `gdrive:normal.storage.default:kloudless`. */
  readonly scope: string;
  readonly authorizationDetails: readonly PassthroughDetail[] | null;
  readonly endUser: string | null;
  /** Thumbprint of the key it is bound to (RFC 9449), which the request has proved to hold. */
  readonly dpopJkt: string | null;
  readonly expiresAt: Date | null;
}

export interface ClientPrincipal {
  readonly kind: 'client';
  readonly applicationId: ApplicationId;
  /** Null for a public client, which only named itself. */
  readonly apiKeyId: string | null;
}

/** An App that calls the host of one of its installs, by a token signed with their shared secret, or by one for a user (RFC 7523). */
export interface InstallPrincipal {
  readonly kind: 'install';
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  readonly appKey: string;
  /** As granted, to the App or its token; what they hold beside that is for whoever compares. */
  readonly scopes: readonly AppScope[];
  /** The end user it acts for: nothing of another's is there for it then. Null: it acts as itself. */
  readonly userId: string | null;
}

/** The runner, on behalf of one call of a function while it runs. */
export interface InvocationPrincipal {
  readonly kind: 'invocation';
  readonly applicationId: ApplicationId;
  readonly invocationId: string;
  readonly clientKey: string;
  readonly appKey: string;
  readonly environment: string;
  /** The organization that has deployed the code. */
  readonly organizationId: string;
  readonly version: number;
  /** Hosts that the code may fetch from. */
  readonly egressHosts: readonly string[];
  /** What its manifest may do with what is the Application's (`FUNCTION_SCOPES`), approved for this install. */
  readonly scopes: readonly string[];
  /** What the App was granted where it was installed: bounds the scopes. */
  readonly appScopes: readonly AppScope[];
  /** The end user it was called for: nothing of another's is there for it then. Null: it acts as its App. */
  readonly userId: string | null;
  /** Of the job that the call is an attempt at; 0: of none that another pushed. */
  readonly jobDepth: number;
}

export type Principal = MetaTokenPrincipal | ApiKeyPrincipal | BearerPrincipal | ClientPrincipal | InstallPrincipal | InvocationPrincipal;

export type PrincipalOf<Kind extends CredentialKind> = Extract<Principal, { kind: Kind }>;

/**
 * Whose quota and places a request takes: its Application's; a Meta token's organization's; of a public client, who has named an
 * Application and proved nothing, neither of these. Ids of Applications and of organizations begin differently.
 */
export function partyOf(principal: Principal): string {
  if (principal.kind === 'meta_token') return principal.organizationId;
  return isNamedOnly(principal) ? `public ${principal.applicationId}` : principal.applicationId;
}

/** Anybody can say the `client_id` of a public client (RFC 6749 §2.1). */
export function isNamedOnly(principal: Principal): boolean {
  return principal.kind === 'client' && principal.apiKeyId === null;
}

/** Who acted, as the audit log keeps it. */
export interface Actor {
  readonly kind: CredentialKind | 'operator' | 'end_user' | 'anonymous' | 'system';
  readonly id?: string;
  /** The end user that an App acted for. */
  readonly user?: string;
}

export function actorOf(principal: Principal | null): Actor {
  switch (principal?.kind) {
    case 'meta_token':
      return { kind: 'meta_token', id: principal.metaTokenId };
    case 'api_key':
      return { kind: 'api_key', id: principal.apiKeyId };
    case 'bearer':
      return { kind: 'bearer', id: String(principal.accountId) };
    case 'client':
      return { kind: 'client', ...(principal.apiKeyId === null ? {} : { id: principal.apiKeyId }) };
    case 'install':
      return { kind: 'install', id: principal.clientKey, ...(principal.userId === null ? {} : { user: principal.userId }) };
    case 'invocation':
      return { kind: 'invocation', id: principal.invocationId, ...(principal.userId === null ? {} : { user: principal.userId }) };
    case undefined:
      return { kind: 'anonymous' };
  }
}
