import { type ApplicationId, defineTenantCredential, type Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { type Database, type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { ApiKeyPrincipal } from '../access/index.ts';
import { apiKeyId, CHILDREN_MAX } from './application.ts';
import { applicationErrors } from './application-errors.ts';

const apiKeyCredential = defineTenantCredential('bhk');

/** An API key reaches every account of its Application. Kept as SHA-256; the text is shown when it is issued, and never again. */
export interface ApiKey {
  readonly apiKeyId: string;
  readonly shortened: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
}

interface ApiKeyRow {
  api_key_id: string;
  shortened: string;
  created_at: Date;
  last_used_at: Date | null;
}

function apiKey(row: ApiKeyRow): ApiKey {
  return { apiKeyId: row.api_key_id, shortened: row.shortened, createdAt: row.created_at, lastUsedAt: row.last_used_at };
}

export async function issueApiKey(tx: Tx, applicationId: ApplicationId, now: Date): Promise<{ apiKey: ApiKey; secret: Secret }> {
  const { held } = await tx.one<{ held: number }>(sql`select count(*) as held from api_keys where application_id = ${applicationId}`);
  if (held >= CHILDREN_MAX.apiKeys)
    throw applicationErrors('limit.reached', { params: { limit: CHILDREN_MAX.apiKeys, things: 'API keys' } });
  const issued = apiKeyCredential.issue(applicationId);
  const row = await tx.one<ApiKeyRow>(sql`
    insert into api_keys (application_id, api_key_id, key_hash, shortened, created_at)
    values (${applicationId}, ${apiKeyId.generate()}, ${issued.hash}, ${issued.shortened}, ${now}) returning *`);
  return { apiKey: apiKey(row), secret: issued.secret };
}

export async function listApiKeys(tx: Tx, applicationId: ApplicationId, page: { page: number; page_size: number }): Promise<Page<ApiKey>> {
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from api_keys where application_id = ${applicationId}`);
  const rows = await tx.query<ApiKeyRow>(sql`
    select * from api_keys where application_id = ${applicationId} order by created_at, api_key_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(apiKey), total };
}

/** By its id or by the key itself, as Kloudless's clients do. */
export async function findApiKey(tx: Tx, applicationId: ApplicationId, idOrKey: string): Promise<ApiKey | null> {
  const hash = apiKeyCredential.parse(idOrKey)?.hash ?? null;
  const row = await tx.maybe<ApiKeyRow>(sql`
    select * from api_keys where application_id = ${applicationId} and (api_key_id = ${idOrKey} or key_hash = ${hash})`);
  return row === null ? null : apiKey(row);
}

/** Deletes the key; tokens exchanged from it go with it. */
export async function deleteApiKey(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from api_keys where application_id = ${applicationId} and api_key_id = ${id}`)) === 1;
}

/** A key that is good, with when its use was last noted. */
interface GoodKey {
  readonly principal: ApiKeyPrincipal;
  readonly lastUsedAt: Date | null;
}

const NOTED_EVERY_MS = 60_000;

/**
 * Authenticates an API key: the tenant is read from the key and scoped before the database is asked. An inactive or deleted
 * Application's keys are worth nothing. What the database said is used for up to a second (`Database.recall`). Last use is noted at most
 * once a minute.
 */
export function apiKeyAuthenticator({ db }: { db: Database }): (key: string, now: Date) => Promise<ApiKeyPrincipal | null> {
  return async (key, now) => {
    const parsed = apiKeyCredential.parse(key);
    if (parsed === null) return null;
    const { applicationId, hash } = parsed;
    const good = await db.recall<GoodKey>(
      applicationId,
      `api_key ${hash.toString('base64')}`,
      () => goodApiKey(applicationId, hash),
      ([row]) => (row === undefined ? null : readGoodApiKey(applicationId, row)),
    );
    return good === null ? null : noted(db, good, now);
  };
}

/** The same for a key that must be of this Application: that of another is not even looked up. */
export async function authenticateOwnApiKey(
  db: Database,
  { applicationId, key, now }: { readonly applicationId: ApplicationId; readonly key: string; readonly now: Date },
): Promise<ApiKeyPrincipal | null> {
  return apiKeyCredential.parse(key)?.applicationId === applicationId ? apiKeyAuthenticator({ db })(key, now) : null;
}

async function noted(db: Database, { principal, lastUsedAt }: GoodKey, now: Date): Promise<ApiKeyPrincipal> {
  const { applicationId, apiKeyId: id } = principal;
  if (lastUsedAt === null || now.getTime() - lastUsedAt.getTime() > NOTED_EVERY_MS)
    await db.tenantQuery(
      applicationId,
      sql`update api_keys set last_used_at = ${now} where application_id = ${applicationId} and api_key_id = ${id}`,
    );
  return principal;
}

function goodApiKey(applicationId: ApplicationId, hash: Buffer): Sql {
  return sql`
    select k.api_key_id, k.last_used_at
      from api_keys k join applications a using (application_id)
     where k.application_id = ${applicationId} and k.key_hash = ${hash} and a.active and a.deleted_at is null`;
}

function readGoodApiKey(applicationId: ApplicationId, row: object): GoodKey {
  const { api_key_id: apiKeyId, last_used_at: lastUsedAt } = row as Pick<ApiKeyRow, 'api_key_id' | 'last_used_at'>;
  return { principal: { kind: 'api_key', applicationId, apiKeyId }, lastUsedAt };
}
