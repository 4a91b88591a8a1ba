import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { AccountKey, AccountsOlderThan } from './account.ts';
import type { Connection } from './account-store.ts';

interface PendingRow {
  credential_id: string;
  account: string;
  effective_scope: string;
  granted_scopes: string[] | null;
  custom_properties: Record<string, unknown> | null;
  end_user: string | null;
}

export async function insertPendingConnection(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
  connection: Connection,
  now: Date,
): Promise<void> {
  const properties = connection.customProperties === null ? null : JSON.stringify(connection.customProperties);
  await tx.execute(sql`
    insert into pending_connections (application_id, credential_id, account_id, account, effective_scope, granted_scopes, custom_properties, end_user, created_at)
    values (${applicationId}, ${connection.credentialId}, ${accountId}, ${connection.account}, ${connection.effectiveScope},
            ${connection.grantedScopes}, ${properties}::jsonb, ${connection.endUser}, ${now})`);
}

/** Takes the connection away, once. Null where it was taken, forgotten, or belongs to another account. */
export async function takePendingConnection(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
  credentialId: string,
): Promise<Connection | null> {
  const row = await tx.maybe<PendingRow>(sql`
    delete from pending_connections where application_id = ${applicationId} and account_id = ${accountId} and credential_id = ${credentialId}
    returning credential_id, account, effective_scope, granted_scopes, custom_properties, end_user`);
  if (row === null) return null;
  return {
    credentialId: row.credential_id,
    account: row.account,
    effectiveScope: row.effective_scope,
    grantedScopes: row.granted_scopes,
    customProperties: row.custom_properties,
    endUser: row.end_user,
  };
}

/** The credentials that wait for the account, for when it goes. */
export async function pendingCredentialIds(tx: Tx, { applicationId, accountId }: AccountKey): Promise<string[]> {
  const rows = await tx.query<{ credential_id: string }>(sql`
    select credential_id from pending_connections where application_id = ${applicationId} and account_id = ${accountId} order by credential_id`);
  return rows.map((row) => row.credential_id);
}

/** The credentials of all pending connections of the Application. */
export async function allPendingCredentialIds(tx: Tx, applicationId: ApplicationId): Promise<string[]> {
  const rows = await tx.query<{ credential_id: string }>(sql`
    select credential_id from pending_connections where application_id = ${applicationId}`);
  return rows.map((row) => row.credential_id);
}

/** Takes away what waits for these accounts since before a moment (null: all of it); answers the credentials. */
export async function takePendingCredentials(tx: Tx, { applicationId, accountIds, before }: AccountsOlderThan): Promise<string[]> {
  const rows = await tx.query<{ credential_id: string }>(sql`
    delete from pending_connections
     where application_id = ${applicationId} and account_id = any(${accountIds}::bigint[])
       and (${before}::timestamptz is null or created_at < ${before}::timestamptz)
    returning credential_id`);
  return rows.map((row) => row.credential_id);
}
