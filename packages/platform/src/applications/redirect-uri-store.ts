import type { ApplicationId } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { isUniqueViolation, sql, type Tx } from '@bulkhead/postgres';
import { CHILDREN_MAX, redirectUriId } from './application.ts';
import { applicationErrors } from './application-errors.ts';
import { checkRedirectUri, redirectUriMatches } from './redirect-uri.ts';

export interface RedirectUri {
  readonly redirectUriId: string;
  readonly url: string;
  readonly createdAt: Date;
}

interface RedirectUriRow {
  redirect_uri_id: string;
  url: string;
  created_at: Date;
}

function redirectUri(row: RedirectUriRow): RedirectUri {
  return { redirectUriId: row.redirect_uri_id, url: row.url, createdAt: row.created_at };
}

export async function addRedirectUri(tx: Tx, applicationId: ApplicationId, url: string, now: Date): Promise<RedirectUri> {
  checkRedirectUri(url);
  const { held } = await tx.one<{ held: number }>(sql`select count(*) as held from redirect_uris where application_id = ${applicationId}`);
  if (held >= CHILDREN_MAX.redirectUris)
    throw applicationErrors('limit.reached', { params: { limit: CHILDREN_MAX.redirectUris, things: 'redirect URIs' } });
  try {
    return redirectUri(
      await tx.one<RedirectUriRow>(sql`
        insert into redirect_uris (application_id, redirect_uri_id, url, created_at)
        values (${applicationId}, ${redirectUriId.generate()}, ${url}, ${now}) returning *`),
    );
  } catch (thrown) {
    throw isUniqueViolation(thrown) ? applicationErrors('redirect_uri.exists', { field: 'url' }) : thrown;
  }
}

export async function listRedirectUris(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<RedirectUri>> {
  const { total } = await tx.one<{ total: number }>(
    sql`select count(*) as total from redirect_uris where application_id = ${applicationId}`,
  );
  const rows = await tx.query<RedirectUriRow>(sql`
    select * from redirect_uris where application_id = ${applicationId} order by created_at, redirect_uri_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(redirectUri), total };
}

export async function findRedirectUri(tx: Tx, applicationId: ApplicationId, id: string): Promise<RedirectUri | null> {
  const row = await tx.maybe<RedirectUriRow>(
    sql`select * from redirect_uris where application_id = ${applicationId} and redirect_uri_id = ${id}`,
  );
  return row === null ? null : redirectUri(row);
}

export async function deleteRedirectUri(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from redirect_uris where application_id = ${applicationId} and redirect_uri_id = ${id}`)) === 1;
}

/** Exact match to a registered URI; only a loopback IP may vary its port. */
export async function isRegisteredRedirectUri(tx: Tx, applicationId: ApplicationId, requested: string): Promise<boolean> {
  const rows = await tx.query<{ url: string }>(sql`
    select url from redirect_uris
     where application_id = ${applicationId} and (url = ${requested} or url like 'http://127.0.0.1%' or url like 'http://[::1]%')`);
  return rows.some((row) => redirectUriMatches(row.url, requested));
}

export async function cloneRedirectUris(tx: Tx, { from, to, now }: { from: ApplicationId; to: ApplicationId; now: Date }): Promise<void> {
  await tx.execute(sql`
    insert into redirect_uris (application_id, redirect_uri_id, url, created_at)
    select ${to}, 'ruri' || translate(encode(sha256(convert_to(${to} || redirect_uri_id, 'UTF8')), 'base64'), '+/=' || chr(10), '012'), url, ${now}
      from redirect_uris where application_id = ${from}`);
}

/** Removes the named URIs, those that are there. */
export async function removeRedirectUris(tx: Tx, applicationId: ApplicationId, urls: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from redirect_uris where application_id = ${applicationId} and url = any(${urls})`);
}
