import type { ApplicationId } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { findCatalogueEntry, type ServiceDefinition, type UpstreamService, upstreamService } from '../services/index.ts';
import type { Account, AccountKey, AccountsOlderThan } from './account.ts';
import { accountErrors } from './account-errors.ts';
import { randomAccountId } from './account-id.ts';

export interface AccountRow {
  application_id: ApplicationId;
  account_id: number;
  service: string;
  account: string;
  identity_id: string;
  credential_id: string | null;
  active: boolean;
  admin: boolean;
  internal_use: boolean;
  health: 'healthy' | 'broken';
  broken_reason: string | null;
  effective_scope: string;
  granted_scopes: string[] | null;
  custom_properties: Record<string, unknown>;
  end_user: string | null;
  created_at: Date;
  modified_at: Date;
}

const columns = sql.raw(
  'application_id, account_id, service, account, identity_id, credential_id, active, admin, internal_use, health, broken_reason, effective_scope, granted_scopes, custom_properties, end_user, created_at, modified_at',
);

export function accountOf(row: AccountRow): Account {
  return {
    applicationId: row.application_id,
    accountId: row.account_id,
    service: row.service,
    account: row.account,
    identityId: row.identity_id,
    credentialId: row.credential_id,
    active: row.active,
    admin: row.admin,
    internalUse: row.internal_use,
    health: row.health,
    brokenReason: row.broken_reason,
    effectiveScope: row.effective_scope,
    grantedScopes: row.granted_scopes,
    customProperties: row.custom_properties,
    endUser: row.end_user,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

/** Statement that reads one live account, for `tenantQuery`. */
function selectAccount({ applicationId, accountId }: AccountKey) {
  return sql`select ${columns} from accounts where application_id = ${applicationId} and account_id = ${accountId} and not provisional`;
}

/** The account, if it is live. */
export async function findAccount(tx: Tx, applicationId: ApplicationId, accountId: number): Promise<Account | null> {
  if (!Number.isSafeInteger(accountId)) return null;
  const row = await tx.maybe<AccountRow>(selectAccount({ applicationId, accountId }));
  return row === null ? null : accountOf(row);
}

/** A live account and its service, null where the Application has removed it; for up to a second (`Database.recall`). */
export async function recallAccount(
  db: Database,
  { applicationId, accountId }: AccountKey,
): Promise<{ readonly account: Account; readonly service: UpstreamService | null } | null> {
  if (!Number.isSafeInteger(accountId)) return null;
  return db.recall(
    applicationId,
    `account ${accountId}`,
    () => sql`
      select a.*, s.definition from accounts a
        left join custom_services s on s.application_id = a.application_id and s.service = a.service
       where a.application_id = ${applicationId} and a.account_id = ${accountId} and not a.provisional`,
    ([row]) => {
      if (row === undefined) return null;
      const account = accountOf(row as AccountRow);
      const { definition } = row as { definition: ServiceDefinition | null };
      return { account, service: definition === null ? findCatalogueEntry(account.service) : upstreamService(definition) };
    },
  );
}

/** Whether a live account of the Application belongs to this end user. */
export async function isEndUser(tx: Tx, applicationId: ApplicationId, endUser: string): Promise<boolean> {
  const row = await tx.maybe(sql`
    select from accounts where application_id = ${applicationId} and end_user = ${endUser} and not provisional limit 1`);
  return row !== null;
}

/** The live accounts of these identities at a service, by identity. */
export async function findAccountsOfIdentities(
  tx: Tx,
  { applicationId, service }: { readonly applicationId: ApplicationId; readonly service: string },
  identityIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (identityIds.length === 0) return new Map();
  const rows = await tx.query<{ identity_id: string; account_id: number }>(sql`
    select identity_id, account_id from accounts
     where application_id = ${applicationId} and service = ${service} and identity_id = any(${[...identityIds]}::text[]) and not provisional`);
  return new Map(rows.map((row) => [row.identity_id, row.account_id]));
}

/** Some live accounts at a service whose identity is one of several below this one: `T1/U2` below `T1`. */
export async function findAccountsBelow(
  tx: Tx,
  { applicationId, service }: { readonly applicationId: ApplicationId; readonly service: string },
  qualifier: string,
  limit: number,
): Promise<readonly number[]> {
  const rows = await tx.query<{ account_id: number }>(sql`
    select account_id from accounts
     where application_id = ${applicationId} and service = ${service} and starts_with(identity_id, ${`${qualifier}/`}) and not provisional
     limit ${limit}`);
  return rows.map((row) => row.account_id);
}

export interface AccountFilter {
  readonly active?: boolean | undefined;
  readonly admin?: boolean | undefined;
  readonly search?: string | undefined;
  readonly service?: string | undefined;
  readonly endUser?: string | undefined;
  readonly health?: 'healthy' | 'broken' | undefined;
  /** A token sees its own account only. */
  readonly accountId?: number | undefined;
}

/** Live accounts, newest first. */
export async function listAccounts(
  tx: Tx,
  applicationId: ApplicationId,
  filter: AccountFilter,
  page: { page: number; page_size: number },
): Promise<Page<Account>> {
  const pattern = filter.search === undefined ? null : `%${filter.search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const where = sql`application_id = ${applicationId} and not provisional
    and (${filter.accountId ?? null}::bigint is null or account_id = ${filter.accountId ?? null}::bigint)
    and (${filter.active ?? null}::boolean is null or active = ${filter.active ?? null}::boolean)
    and (${filter.admin ?? null}::boolean is null or admin = ${filter.admin ?? null}::boolean)
    and (${filter.service ?? null}::text is null or service = ${filter.service ?? null}::text)
    and (${filter.endUser ?? null}::text is null or end_user = ${filter.endUser ?? null}::text)
    and (${filter.health ?? null}::text is null or health = ${filter.health ?? null}::text)
    and (${pattern}::text is null or account ilike ${pattern}::text)`;
  const [count, rows] = await Promise.all([
    tx.one<{ total: number }>(sql`select count(*) as total from accounts where ${where}`),
    tx.query<AccountRow>(
      sql`select ${columns} from accounts where ${where} order by created_at desc, account_id limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`,
    ),
  ]);
  return { rows: rows.map(accountOf), total: Number(count.total) };
}

export interface KnownIdentity {
  readonly accountId: number;
  readonly provisional: boolean;
}

/** How many accounts an Application may hold where nothing else is set. */
const ACCOUNTS_MAX = 100_000;

/**
 * The account of an upstream identity: the one there is, else a new provisional one. Locked until the transaction ends, so that
 * two flows of one person at the same moment see each other. Throws `account.limit` where a new one would be too many.
 */
export async function claimIdentity(
  tx: Tx,
  input: {
    applicationId: ApplicationId;
    service: string;
    identity: { id: string; name: string };
    effectiveScope: string;
    accountsMax?: number | undefined;
    now: Date;
  },
): Promise<KnownIdentity> {
  const { applicationId, service, identity, effectiveScope, now } = input;
  for (;;) {
    const inserted = await tx.maybe<{ account_id: number }>(sql`
      insert into accounts (application_id, account_id, service, account, identity_id, provisional, effective_scope, created_at, modified_at)
      values (${applicationId}, ${randomAccountId()}, ${service}, ${identity.name}, ${identity.id}, true, ${effectiveScope}, ${now}, ${now})
      on conflict do nothing returning account_id`);
    if (inserted !== null) {
      await assertRoom(tx, applicationId, input.accountsMax ?? ACCOUNTS_MAX);
      return { accountId: inserted.account_id, provisional: true };
    }
    const known = await tx.maybe<{ account_id: number; provisional: boolean }>(sql`
      select account_id, provisional from accounts
       where application_id = ${applicationId} and service = ${service} and identity_id = ${identity.id} for update`);
    if (known !== null) return { accountId: known.account_id, provisional: known.provisional };
    // Neither: the number was taken by another identity, or the row went in between.
  }
}

async function assertRoom(tx: Tx, applicationId: ApplicationId, limit: number): Promise<void> {
  const tooMany = await tx.maybe(sql`select from accounts where application_id = ${applicationId} offset ${limit} limit 1`);
  if (tooMany !== null) throw accountErrors('account.limit', { params: { limit } });
}

export interface Connection {
  readonly credentialId: string;
  readonly account: string;
  readonly effectiveScope: string;
  readonly grantedScopes: readonly string[] | null;
  /** Merged into what the account has; null changes nothing. */
  readonly customProperties: Readonly<Record<string, unknown>> | null;
  /** Null changes nothing. */
  readonly endUser: string | null;
}

/** What `applyConnection` did. */
export interface AppliedConnection {
  readonly replacedCredentialId: string | null;
  /** The account was live already. */
  readonly isReconnected: boolean;
  readonly service: string;
  readonly endUser: string | null;
}

/**
 * Makes the account live with a new credential. Answers the credential that it had before, if any; null where there is no
 * such account.
 */
export async function applyConnection(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
  connection: Connection,
  now: Date,
): Promise<AppliedConnection | null> {
  const before = await tx.maybe<{ credential_id: string | null; provisional: boolean }>(sql`
    select credential_id, provisional from accounts where application_id = ${applicationId} and account_id = ${accountId} for update`);
  if (before === null) return null;
  const after = await tx.one<{ service: string; end_user: string | null }>(sql`
    update accounts
       set provisional = false, credential_id = ${connection.credentialId}, health = 'healthy', broken_reason = null,
           account = ${connection.account}, effective_scope = ${connection.effectiveScope}, granted_scopes = ${connection.grantedScopes},
           custom_properties = custom_properties || coalesce(${connection.customProperties === null ? null : JSON.stringify(connection.customProperties)}::jsonb, '{}'),
           end_user = coalesce(${connection.endUser}, end_user), modified_at = ${now}
     where application_id = ${applicationId} and account_id = ${accountId} returning service, end_user`);
  const replaced = before.credential_id === connection.credentialId ? null : before.credential_id;
  return { replacedCredentialId: replaced, isReconnected: !before.provisional, service: after.service, endUser: after.end_user };
}

export interface AccountChanges {
  readonly account?: string | undefined;
  readonly active?: boolean | undefined;
  readonly admin?: boolean | undefined;
  readonly customProperties?: Readonly<Record<string, unknown>> | undefined;
  /** The account has a good credential again: this one, in place of the one it had (or of none). */
  readonly healed?: { readonly credentialId: string; readonly before: string | null } | undefined;
}

/** Changes a live account; null where there is none, or where `healed` names another credential than it has by now. */
export async function updateAccount(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
  changes: AccountChanges,
  now: Date,
): Promise<Account | null> {
  const properties = changes.customProperties === undefined ? null : JSON.stringify(changes.customProperties);
  const isHealed = changes.healed !== undefined;
  const row = await tx.maybe<AccountRow>(sql`
    update accounts
       set account = coalesce(${changes.account ?? null}, account), active = coalesce(${changes.active ?? null}, active),
           admin = coalesce(${changes.admin ?? null}, admin), custom_properties = coalesce(${properties}::jsonb, custom_properties),
           health = case when ${isHealed} then 'healthy' else health end,
           broken_reason = case when ${isHealed} then null else broken_reason end,
           credential_id = coalesce(${changes.healed?.credentialId ?? null}, credential_id), modified_at = ${now}
     where application_id = ${applicationId} and account_id = ${accountId} and not provisional
       and (not ${isHealed} or credential_id is not distinct from ${changes.healed?.before ?? null}) returning ${columns}`);
  return row === null ? null : accountOf(row);
}

/** Removes the account; its tokens, codes and pending connections go with it. Answers what it was, or null where there is no such account. */
export async function deleteAccount(
  tx: Tx,
  { applicationId, accountId }: AccountKey,
): Promise<{ credentialId: string | null; service: string } | null> {
  const row = await tx.maybe<{ credential_id: string | null; service: string }>(sql`
    delete from accounts where application_id = ${applicationId} and account_id = ${accountId} returning credential_id, service`);
  return row === null ? null : { credentialId: row.credential_id, service: row.service };
}

/** Whether an upstream identity has an account of the service, provisional ones included; for null, whether anybody has. */
export async function isAccountOf(
  tx: Tx,
  { applicationId, service, identityId }: { applicationId: ApplicationId; service: string; identityId: string | null },
): Promise<boolean> {
  const row = await tx.maybe(sql`
    select 1 from accounts where application_id = ${applicationId} and service = ${service}
       and (${identityId}::text is null or identity_id = ${identityId}::text) limit 1`);
  return row !== null;
}

/** Whether the account exists and was never confirmed. */
export async function isProvisional(tx: Tx, { applicationId, accountId }: AccountKey): Promise<boolean> {
  const row = await tx.maybe(
    sql`select 1 from accounts where application_id = ${applicationId} and account_id = ${accountId} and provisional for update`,
  );
  return row !== null;
}

/** Removes every account of the Application, provisional ones too; answers their credentials. */
export async function deleteAllAccounts(tx: Tx, applicationId: ApplicationId): Promise<string[]> {
  const rows = await tx.query<{ credential_id: string | null }>(sql`
    delete from accounts where application_id = ${applicationId} returning credential_id`);
  return rows.map((row) => row.credential_id).filter((id) => id !== null);
}

/** An account and its service: what an event about it names. */
export interface AccountOfService {
  readonly accountId: number;
  readonly service: string;
}

/** Notes the health of the account that uses a credential; answers the account, or null where none does or nothing changed. */
export async function markBroken(
  tx: Tx,
  applicationId: ApplicationId,
  credentialId: string,
  reason: string,
  now: Date,
): Promise<AccountOfService | null> {
  const row = await tx.maybe<{ account_id: number; service: string }>(sql`
    update accounts set health = 'broken', broken_reason = ${reason}, modified_at = ${now}
     where application_id = ${applicationId} and credential_id = ${credentialId} and health <> 'broken' returning account_id, service`);
  return row === null ? null : { accountId: row.account_id, service: row.service };
}

/** Notes that the credential of an account was renewed; answers the account, or null where none uses it. */
export async function markRenewed(
  tx: Tx,
  applicationId: ApplicationId,
  credentialId: string,
  grantedScopes: readonly string[] | null,
  now: Date,
): Promise<AccountOfService | null> {
  await tx.execute(sql`
    update accounts set health = 'healthy', broken_reason = null, granted_scopes = coalesce(${grantedScopes}::text[], granted_scopes), modified_at = ${now}
     where application_id = ${applicationId} and credential_id = ${credentialId}
       and (health <> 'healthy' or (${grantedScopes}::text[] is not null and granted_scopes is distinct from ${grantedScopes}::text[]))`);
  const row = await tx.maybe<{ account_id: number; service: string }>(sql`
    select account_id, service from accounts where application_id = ${applicationId} and credential_id = ${credentialId} and not provisional`);
  return row === null ? null : { accountId: row.account_id, service: row.service };
}

/**
 * Takes their credentials from those of these accounts whose credential was given before a moment (null: from all), and marks them
 * broken. Answers the accounts and the credentials they had.
 */
export async function takeCredentials(
  tx: Tx,
  { applicationId, accountIds, before }: AccountsOlderThan,
  reason: string,
  now: Date,
): Promise<(AccountOfService & { readonly credentialId: string })[]> {
  const rows = await tx.query<{ account_id: number; service: string; credential_id: string }>(sql`
    update accounts a set credential_id = null, health = 'broken', broken_reason = ${reason}, modified_at = ${now}
      from credentials c
     where a.application_id = ${applicationId} and a.account_id = any(${accountIds}::bigint[])
       and c.application_id = ${applicationId} and c.credential_id = a.credential_id
       and (${before}::timestamptz is null or c.created_at < ${before}::timestamptz)
    returning a.account_id, a.service, c.credential_id`);
  return rows.map((row) => ({ accountId: row.account_id, service: row.service, credentialId: row.credential_id }));
}

/** Removes those of these accounts that were never confirmed and have nothing left that could be. */
export async function deleteEmptyProvisional(tx: Tx, applicationId: ApplicationId, accountIds: readonly number[]): Promise<void> {
  await tx.execute(sql`
    delete from accounts a
     where a.application_id = ${applicationId} and a.account_id = any(${accountIds}::bigint[]) and a.provisional
       and not exists (select from pending_connections p where p.application_id = ${applicationId} and p.account_id = a.account_id)`);
}
