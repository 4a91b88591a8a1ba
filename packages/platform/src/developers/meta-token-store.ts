import { type IssuedCredential, type Secret, sha256 } from '@bulkhead/base';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { metaTokenId, organizationId } from './organization.ts';

export interface MetaToken {
  readonly metaTokenId: string;
  readonly organizationId: string;
  readonly name: string;
  readonly shortened: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
}

interface MetaTokenRow {
  meta_token_id: string;
  organization_id: string;
  name: string;
  shortened: string;
  scopes: string[];
  created_at: Date;
  last_used_at: Date | null;
  expires_at: Date | null;
}

function metaToken(row: MetaTokenRow): MetaToken {
  return {
    metaTokenId: row.meta_token_id,
    organizationId: row.organization_id,
    name: row.name,
    shortened: row.shortened,
    scopes: row.scopes,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  };
}

/** The first organization, made on first need. Several processes may start at once: the lock lets one make it. */
export async function ensureFirstOrganization(tx: Tx): Promise<string> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('bulkhead first organization'))`);
  const found = await tx.maybe<{ organization_id: string }>(
    sql`select organization_id from organizations order by created_at, organization_id limit 1`,
  );
  if (found !== null) return found.organization_id;
  const id = organizationId.generate();
  await tx.execute(sql`insert into organizations (organization_id, name) values (${id}, 'My organization')`);
  return id;
}

export async function insertMetaToken(
  tx: Tx,
  fields: {
    organizationId: string;
    name: string;
    scopes: readonly string[];
    issued: Pick<IssuedCredential, 'hash' | 'shortened'>;
    expiresAt: Date | null;
    now: Date;
  },
): Promise<MetaToken> {
  return metaToken(
    await tx.one<MetaTokenRow>(sql`
      insert into meta_tokens (meta_token_id, organization_id, name, token_hash, shortened, scopes, created_at, expires_at)
      values (${metaTokenId.generate()}, ${fields.organizationId}, ${fields.name}, ${fields.issued.hash}, ${fields.issued.shortened},
              ${[...fields.scopes]}, ${fields.now}, ${fields.expiresAt})
      returning *`),
  );
}

export async function listMetaTokens(tx: Tx, organization: string): Promise<MetaToken[]> {
  const rows = await tx.query<MetaTokenRow>(
    sql`select * from meta_tokens where organization_id = ${organization} order by created_at, meta_token_id`,
  );
  return rows.map(metaToken);
}

export async function deleteMetaToken(tx: Tx, organization: string, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from meta_tokens where organization_id = ${organization} and meta_token_id = ${id}`)) === 1;
}

/** Registers an operator-chosen token (BULKHEAD_META_TOKEN) and answers its id; a second start changes nothing, and answers null. */
export async function registerMetaToken(
  tx: Tx,
  organization: string,
  token: Secret,
  scopes: readonly string[],
  now: Date,
): Promise<string | null> {
  const text = token.reveal();
  const row = await tx.maybe<{ meta_token_id: string }>(sql`
    insert into meta_tokens (meta_token_id, organization_id, name, token_hash, shortened, scopes, created_at)
    values (${metaTokenId.generate()}, ${organization}, 'BULKHEAD_META_TOKEN', ${sha256(text)}, ${`${text.slice(0, 4)}…`}, ${[...scopes]}, ${now})
    on conflict (token_hash) do nothing returning meta_token_id`);
  return row?.meta_token_id ?? null;
}

/** The live token with this hash. Its last use is noted at most once a minute. */
export async function findMetaTokenByHash(db: Database, hash: Buffer, now: Date): Promise<MetaToken | null> {
  return db.withControl('authenticate a Meta token', async (tx) => {
    const row = await tx.maybe<MetaTokenRow>(
      sql`select * from meta_tokens where token_hash = ${hash} and (expires_at is null or expires_at > ${now})`,
    );
    if (row === null) return null;
    if (row.last_used_at === null || now.getTime() - row.last_used_at.getTime() > 60_000)
      await tx.execute(sql`update meta_tokens set last_used_at = ${now} where meta_token_id = ${row.meta_token_id}`);
    return metaToken(row);
  });
}
