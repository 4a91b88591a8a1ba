import type { ApplicationId } from '@bulkhead/base';
import { type Database, sql } from '@bulkhead/postgres';
import { findCatalogueEntry, type ServiceDefinition, type UpstreamService, upstreamService } from '../services/index.ts';
import { type CredentialRow, type StoredCredential, storedCredential } from '../vault/index.ts';

export interface ForwardedAccount {
  readonly accountId: number;
  readonly active: boolean;
  readonly endUser: string | null;
  /** Null where the Application has removed it. */
  readonly service: UpstreamService | null;
  /** Null where an operator revoked it. */
  readonly credential: StoredCredential | null;
  readonly brokenReason: string | null;
}

type ForwardedRow = (CredentialRow | { readonly credential_id: null }) & {
  readonly account_id: number;
  readonly active: boolean;
  readonly end_user: string | null;
  readonly account_service: string;
  readonly account_broken_reason: string | null;
  readonly definition: ServiceDefinition | null;
};

/** Account, sealed credential and service in one statement, for up to a second (`Database.recall`); null where there is no such live account. */
export async function readForwardedAccount(
  db: Database,
  applicationId: ApplicationId,
  accountId: number,
): Promise<ForwardedAccount | null> {
  return db.recall(
    applicationId,
    `forwarded_account ${accountId}`,
    () => sql`
      select a.account_id, a.active, a.end_user, a.service as account_service, a.broken_reason as account_broken_reason, s.definition,
             c.application_id, c.credential_id, c.service, c.version, c.sealed, c.expires_at, c.refreshable, c.lease_until, c.retry_after, c.failure_count, c.broken_reason, c.modified_at
        from accounts a
        left join credentials c on c.application_id = a.application_id and c.credential_id = a.credential_id
        left join custom_services s on s.application_id = a.application_id and s.service = a.service
       where a.application_id = ${applicationId} and a.account_id = ${accountId} and not a.provisional`,
    ([row]) => (row === undefined ? null : forwardedAccount(row as ForwardedRow)),
  );
}

function forwardedAccount(row: ForwardedRow): ForwardedAccount {
  // An Application's own service comes first: one of the catalogue that took the same name later must not get its credential.
  const service = row.definition === null ? findCatalogueEntry(row.account_service) : upstreamService(row.definition);
  return {
    accountId: row.account_id,
    active: row.active,
    endUser: row.end_user,
    service,
    credential: row.credential_id === null ? null : storedCredential(row),
    brokenReason: row.account_broken_reason,
  };
}
