import type { ApplicationId } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import { deleteOldAccessTokens } from './access-token-store.ts';
import { deleteOldCodes } from './authorization-code-store.ts';
import { deleteOldGrants } from './grant-store.ts';
import { deleteOldRefreshTokens } from './refresh-token-store.ts';
import { REFRESH_TOKEN_LIFETIME_SECONDS, secondsAfter } from './token-credentials.ts';

/** Rows of each kind that are cleared away for one that is added: more, so that what is left over shrinks. */
const ROWS_MAX = 20;
const ISSUANCES_MAX = 50;
const PAUSE_MS = 60_000;
const APPLICATIONS_MAX = 10_000;

/**
 * Tidies up with an issuance: some rows of this Application that have expired, a few of each kind for every token that was issued
 * since the last time. Each tenant clears away more than it adds, so no sweep across tenants is needed and nobody pays for another's
 * leftovers.
 */
export async function deleteExpired(tx: Tx, applicationId: ApplicationId, now: Date, issued = 1): Promise<void> {
  const limit = issued * ROWS_MAX;
  await Promise.all([
    deleteOldGrants(tx, applicationId, now, limit),
    deleteOldRefreshTokens(tx, applicationId, now, limit),
    deleteOldAccessTokens(tx, applicationId, now, limit),
    deleteOldCodes(tx, applicationId, secondsAfter(now, -REFRESH_TOKEN_LIFETIME_SECONDS), limit),
  ]);
}

/**
 * For tokens that are issued by the thousand: tidies up before an Application's first issuance in this process, then before every
 * fiftieth, or the first when a minute has passed; in a transaction of its own. Where that fails nothing is issued.
 */
export class OccasionalTidying {
  /** When it was last tidied up, and how many were issued since. */
  readonly #seen = new Map<ApplicationId, { at: number; issued: number }>();
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async beforeIssuance(applicationId: ApplicationId, now: Date): Promise<void> {
    const issued = this.#due(applicationId, now.getTime());
    if (issued > 0) await this.#db.withTenant(applicationId, (tx) => deleteExpired(tx, applicationId, now, issued));
  }

  /** For how many issuances it is to tidy up now; 0: not yet. */
  #due(applicationId: ApplicationId, now: number): number {
    const seen = this.#seen.get(applicationId);
    if (seen !== undefined && now - seen.at < PAUSE_MS && seen.issued + 1 < ISSUANCES_MAX) {
      seen.issued += 1;
      return 0;
    }
    this.#seen.delete(applicationId);
    // Who is forgotten here is tidied up once more than need be.
    if (this.#seen.size >= APPLICATIONS_MAX) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(applicationId, { at: now, issued: 0 });
    return ISSUANCES_MAX;
  }
}
