import { type ApplicationId, Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { isUniqueViolation, sql, type Tx } from '@bulkhead/postgres';
import { defineSealedColumn, type Place, type Sealer, type Vault } from '../vault/index.ts';
import { oauthKeyId } from './application.ts';
import { applicationErrors } from './application-errors.ts';

/** The Application's own OAuth client at an upstream service. The secret is write-only. */
export interface OAuthKey {
  readonly oauthKeyId: string;
  readonly service: string;
  readonly clientId: string;
  readonly scopes: readonly string[] | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

interface OAuthKeyRow {
  oauth_key_id: string;
  service: string;
  client_id: string;
  client_secret_sealed: Buffer;
  scopes: string[] | null;
  created_at: Date;
  modified_at: Date;
}

function oauthKey(row: OAuthKeyRow): OAuthKey {
  return {
    oauthKeyId: row.oauth_key_id,
    service: row.service,
    clientId: row.client_id,
    scopes: row.scopes,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

/** Sealed like any other, so that a row does not tell whether it holds a secret. */
const NO_SECRET = new Secret('');

export const oauthClientSecrets = defineSealedColumn({ table: 'oauth_keys', column: 'client_secret_sealed', key: ['oauth_key_id'] });

function place(applicationId: ApplicationId, row: string): Place {
  return oauthClientSecrets.place(applicationId, [row]);
}

export interface OAuthKeyFields {
  readonly service: string;
  readonly clientId: string;
  /** Null for a client without one (`token_endpoint_auth_method: none`). */
  readonly clientSecret: Secret | null;
  readonly scopes: readonly string[] | null;
}

export async function addOAuthKey(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  fields: OAuthKeyFields,
  now: Date,
): Promise<OAuthKey> {
  const id = oauthKeyId.generate();
  const sealed = await vault.seal(tx, place(applicationId, id), fields.clientSecret ?? NO_SECRET);
  try {
    return oauthKey(
      await tx.one<OAuthKeyRow>(sql`
        insert into oauth_keys (application_id, oauth_key_id, service, client_id, client_secret_sealed, scopes, created_at, modified_at)
        values (${applicationId}, ${id}, ${fields.service}, ${fields.clientId}, ${sealed}, ${fields.scopes}, ${now}, ${now}) returning *`),
    );
  } catch (thrown) {
    throw isUniqueViolation(thrown)
      ? applicationErrors('oauth_key.exists', { params: { service: fields.service }, field: 'service' })
      : thrown;
  }
}

export async function changeOAuthKey(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  id: string,
  changes: { clientId?: string | undefined; clientSecret?: Secret | undefined; scopes?: readonly string[] | null | undefined },
  now: Date,
): Promise<OAuthKey | null> {
  const sealed = changes.clientSecret === undefined ? null : await vault.seal(tx, place(applicationId, id), changes.clientSecret);
  const row = await tx.maybe<OAuthKeyRow>(sql`
    update oauth_keys
       set client_id = coalesce(${changes.clientId ?? null}, client_id),
           client_secret_sealed = coalesce(${sealed}, client_secret_sealed),
           scopes = case when ${changes.scopes !== undefined} then ${changes.scopes ?? null} else scopes end,
           modified_at = ${now}
     where application_id = ${applicationId} and oauth_key_id = ${id} returning *`);
  return row === null ? null : oauthKey(row);
}

export async function findOAuthKey(tx: Tx, applicationId: ApplicationId, id: string): Promise<OAuthKey | null> {
  const row = await tx.maybe<OAuthKeyRow>(sql`select * from oauth_keys where application_id = ${applicationId} and oauth_key_id = ${id}`);
  return row === null ? null : oauthKey(row);
}

export async function listOAuthKeys(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<OAuthKey>> {
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from oauth_keys where application_id = ${applicationId}`);
  const rows = await tx.query<OAuthKeyRow>(sql`
    select * from oauth_keys where application_id = ${applicationId} order by created_at, oauth_key_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(oauthKey), total };
}

export async function deleteOAuthKey(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from oauth_keys where application_id = ${applicationId} and oauth_key_id = ${id}`)) === 1;
}

/** The key of a service with its secret, for the moment of a call to the token endpoint. */
export async function openOAuthKey(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  service: string,
): Promise<{ oauthKeyId: string; clientId: string; clientSecret: Secret | null; scopes: readonly string[] | null } | null> {
  const row = await tx.maybe<OAuthKeyRow>(sql`select * from oauth_keys where application_id = ${applicationId} and service = ${service}`);
  if (row === null) return null;
  const clientSecret = await vault.open(tx, place(applicationId, row.oauth_key_id), row.client_secret_sealed);
  return {
    oauthKeyId: row.oauth_key_id,
    clientId: row.client_id,
    clientSecret: clientSecret.reveal() === '' ? null : clientSecret,
    scopes: row.scopes,
  };
}

/** Copies the keys, each secret opened under the source's data key and sealed anew under the clone's. `except`: services whose key the caller sets itself. */
export async function cloneOAuthKeys(
  tx: Tx,
  vault: Vault,
  {
    from,
    to,
    now,
    except,
    sealing,
  }: { from: ApplicationId; to: ApplicationId; now: Date; except: readonly string[]; sealing: Promise<Sealer> },
): Promise<void> {
  const rows = await tx.query<OAuthKeyRow>(sql`
    select * from oauth_keys where application_id = ${from} and service <> all(${[...except]}::text[]) order by oauth_key_id`);
  if (rows.length === 0) return;
  const seal = await sealing;
  const ids = rows.map(() => oauthKeyId.generate());
  const sealed: Buffer[] = [];
  for (const [at, row] of rows.entries())
    sealed.push(seal(place(to, ids[at]!), await vault.open(tx, place(from, row.oauth_key_id), row.client_secret_sealed)));
  await tx.execute(sql`
    insert into oauth_keys (application_id, oauth_key_id, service, client_id, client_secret_sealed, scopes, created_at, modified_at)
    select ${to}, new.id, k.service, k.client_id, new.sealed, k.scopes, ${now}, ${now}
      from unnest(${rows.map((row) => row.oauth_key_id)}::text[], ${ids}::text[], ${sealed}::bytea[]) as new (source, id, sealed)
      join oauth_keys k on k.application_id = ${from} and k.oauth_key_id = new.source`);
}

export async function removeAllOAuthKeys(tx: Tx, applicationId: ApplicationId): Promise<void> {
  await tx.execute(sql`delete from oauth_keys where application_id = ${applicationId}`);
}
