import type { ApplicationId } from '@bulkhead/base';

/** What an incident is about. What is given must all hold; nothing given is everything. */
export interface Selection {
  readonly applicationId: ApplicationId | null;
  readonly service: string | null;
  /** Given, approved or issued before this moment. */
  readonly before: Date | null;
}

/** What of it: the tokens that we issued, or the upstream credentials too. */
export interface Reach {
  readonly upstream: boolean;
}

/** What matches, of one service of one Application. Of tokens, those that are still good. */
export interface Match {
  readonly applicationId: ApplicationId;
  readonly applicationName: string;
  readonly service: string;
  /** Upstream accounts of which anything matches. */
  readonly accounts: number;
  readonly upstreamCredentials: number;
  readonly grants: number;
  readonly accessTokens: number;
  readonly refreshTokens: number;
  readonly oldest: Date;
  readonly newest: Date;
}
