import { type ApplicationId, defineId, defineTenantCredential } from '@bulkhead/base';

/** Whom a page is shown to, and about what; said by the company's server. */
export interface Viewer {
  /** In the company's own words: the `sub` of every token. Null: nobody has signed in. */
  readonly endUser: string | null;
  readonly isAdmin: boolean;
  /** What the page is about, as the App gets it; its parts are the variables of addresses. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** A page of an App that one browser may have open. */
export interface PageSession extends Viewer {
  readonly applicationId: ApplicationId;
  readonly sessionId: string;
  readonly clientKey: string;
  readonly appKey: string;
  readonly moduleKey: string;
  /** Null until its ticket was shown. */
  readonly browserHash: Buffer | null;
  readonly frameAncestors: readonly string[];
  readonly lifetimeSeconds: number;
  readonly endsAt: Date;
}

/** No secret: it stands in addresses. What counts is the browser's cookie. */
export const sessionIds = defineId('pgs');

/** Opens a page session, once. */
export const pageTickets = defineTenantCredential('bhl');
