import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { AccountsOlderThan } from '../accounts/index.ts';

export interface AuthorizationCode {
  readonly accountId: number;
  readonly credentialId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string | null;
  readonly scope: string;
  readonly endUser: string | null;
  /** Thumbprint of the one key it may be redeemed with (RFC 9449 §10). */
  readonly dpopJkt: string | null;
}

interface CodeRow {
  account_id: number;
  credential_id: string;
  redirect_uri: string;
  code_challenge: string | null;
  scope: string;
  end_user: string | null;
  dpop_jkt: string | null;
}

export async function insertCode(
  tx: Tx,
  fields: AuthorizationCode & { applicationId: ApplicationId; hash: Buffer; now: Date; expiresAt: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into authorization_codes (application_id, code_hash, account_id, credential_id, redirect_uri, code_challenge, scope,
                                     end_user, dpop_jkt, created_at, expires_at)
    values (${fields.applicationId}, ${fields.hash}, ${fields.accountId}, ${fields.credentialId}, ${fields.redirectUri},
            ${fields.codeChallenge}, ${fields.scope}, ${fields.endUser}, ${fields.dpopJkt}, ${fields.now}, ${fields.expiresAt})`);
}

/**
 * Holds the account of a code until the transaction ends. Before the code itself is touched: whoever deletes the account goes the
 * same way down, and two that met from opposite ends would deadlock.
 */
export async function holdAccountOfCode(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<void> {
  await tx.execute(sql`
    select from accounts
     where application_id = ${applicationId}
       and account_id = (select account_id from authorization_codes where application_id = ${applicationId} and code_hash = ${hash})
       for update`);
}

/**
 * Spends the code for the grant: of any number of callers one gets it, the others null. Where the transaction rolls back,
 * the code is unspent again.
 */
export async function consumeCode(
  tx: Tx,
  code: { applicationId: ApplicationId; hash: Buffer; grantId: string; now: Date },
): Promise<AuthorizationCode | null> {
  const row = await tx.maybe<CodeRow>(sql`
    update authorization_codes set used_at = ${code.now}, grant_id = ${code.grantId}
     where application_id = ${code.applicationId} and code_hash = ${code.hash} and used_at is null and expires_at > ${code.now}
    returning account_id, credential_id, redirect_uri, code_challenge, scope, end_user, dpop_jkt`);
  if (row === null) return null;
  return {
    accountId: row.account_id,
    credentialId: row.credential_id,
    redirectUri: row.redirect_uri,
    codeChallenge: row.code_challenge,
    scope: row.scope,
    endUser: row.end_user,
    dpopJkt: row.dpop_jkt,
  };
}

/** The grant for which the code was spent; null for a code that is unknown or was never spent. */
export async function findGrantOfCode(tx: Tx, applicationId: ApplicationId, hash: Buffer): Promise<string | null> {
  const row = await tx.maybe<{ grant_id: string | null }>(sql`
    select grant_id from authorization_codes
     where application_id = ${applicationId} and code_hash = ${hash} and used_at is not null`);
  return row?.grant_id ?? null;
}

/** Removes some codes that expired before `before`: until then a second use is recognised. */
export async function deleteOldCodes(tx: Tx, applicationId: ApplicationId, before: Date, limit: number): Promise<void> {
  await tx.execute(sql`
    delete from authorization_codes
     where application_id = ${applicationId} and code_hash in (
       select code_hash from authorization_codes where application_id = ${applicationId} and expires_at < ${before}
        limit ${limit} for update skip locked)`);
}

/** Removes codes of these accounts that nobody has redeemed, issued before a moment (null: all). */
export async function deleteUnspentCodesOf(tx: Tx, { applicationId, accountIds, before }: AccountsOlderThan): Promise<number> {
  return tx.execute(sql`
    delete from authorization_codes
     where application_id = ${applicationId} and account_id = any(${accountIds}::bigint[]) and used_at is null
       and (${before}::timestamptz is null or created_at < ${before}::timestamptz)`);
}
