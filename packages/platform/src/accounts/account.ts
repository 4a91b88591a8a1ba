import type { ApplicationId } from '@bulkhead/base';

/** An upstream account, connected and confirmed. */
export interface Account {
  readonly applicationId: ApplicationId;
  readonly accountId: number;
  readonly service: string;
  /** For people: an e-mail address, a user name. */
  readonly account: string;
  /** The upstream's own id of the person or workspace: never changes. */
  readonly identityId: string;
  /** Null where an operator revoked it: then the account is broken until it is connected again. */
  readonly credentialId: string | null;
  readonly active: boolean;
  readonly admin: boolean;
  readonly internalUse: boolean;
  readonly health: 'healthy' | 'broken';
  readonly brokenReason: string | null;
  readonly effectiveScope: string;
  /** Upstream scopes; null where the service never said. */
  readonly grantedScopes: readonly string[] | null;
  readonly customProperties: Readonly<Record<string, unknown>>;
  readonly endUser: string | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

/** What some accounts of one Application had before a moment; all of it where that is null. */
export interface AccountsOlderThan {
  readonly applicationId: ApplicationId;
  readonly accountIds: readonly number[];
  readonly before: Date | null;
}

export interface AccountKey {
  readonly applicationId: ApplicationId;
  readonly accountId: number;
}
