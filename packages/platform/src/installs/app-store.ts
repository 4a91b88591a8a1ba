import type { Page } from '@bulkhead/http';
import { type JsonValue, sql, type Tx } from '@bulkhead/postgres';
import type { AppDescriptor } from '@bulkhead/protocol';
import type { App } from './app.ts';
import { installErrors } from './install-errors.ts';

const APPS_MAX = 500;

interface AppRow {
  organization_id: string;
  app_key: string;
  name: string;
  base_url: string;
  descriptor: AppDescriptor;
  descriptor_url: string | null;
  created_at: Date;
  modified_at: Date;
}

function app(row: AppRow): App {
  return {
    organizationId: row.organization_id,
    appKey: row.app_key,
    name: row.name,
    baseUrl: row.base_url,
    descriptor: row.descriptor,
    descriptorUrl: row.descriptor_url,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

/** Keeps an App under its key; one that is registered already gets the new descriptor. Throws `app.limit`. */
export async function putApp(
  tx: Tx,
  fields: { organizationId: string; descriptor: AppDescriptor; descriptorUrl: string | null; now: Date },
): Promise<{ app: App; isNew: boolean }> {
  const { organizationId, descriptor, descriptorUrl, now } = fields;
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from apps where organization_id = ${organizationId} and app_key <> ${descriptor.key}`);
  if (held >= APPS_MAX) throw installErrors('app.limit', { params: { limit: APPS_MAX } });
  const row = await tx.one<AppRow & { is_new: boolean }>(sql`
    insert into apps (organization_id, app_key, name, base_url, descriptor, descriptor_url, created_at, modified_at)
    values (${organizationId}, ${descriptor.key}, ${descriptor.name ?? descriptor.key}, ${descriptor.baseUrl},
            ${sql.json(descriptor as unknown as JsonValue)}, ${descriptorUrl}, ${now}, ${now})
    on conflict (organization_id, app_key) do update set name = excluded.name, base_url = excluded.base_url,
      descriptor = excluded.descriptor, descriptor_url = excluded.descriptor_url, modified_at = excluded.modified_at
    returning *, (xmax = 0) as is_new`);
  return { app: app(row), isNew: row.is_new };
}

export async function findApp(tx: Tx, organizationId: string, appKey: string): Promise<App | null> {
  const row = await tx.maybe<AppRow>(sql`select * from apps where organization_id = ${organizationId} and app_key = ${appKey}`);
  return row === null ? null : app(row);
}

/** The same, and no removal of it comes in between until the transaction ends. */
export async function holdApp(tx: Tx, organizationId: string, appKey: string): Promise<App | null> {
  const row = await tx.maybe<AppRow>(sql`
    select * from apps where organization_id = ${organizationId} and app_key = ${appKey} for share`);
  return row === null ? null : app(row);
}

/**
 * Takes an App away that is installed into none of the organization's Applications, and is not being installed. For the system role, which sees
 * installs of several Applications. Answers where it is installed, if it is: then nothing was changed.
 */
export async function deleteApp(
  tx: Tx,
  { organizationId, appKey, now }: { organizationId: string; appKey: string; now: Date },
): Promise<
  { readonly kind: 'deleted' | 'missing' } | { readonly kind: 'installed'; readonly applicationId: string; readonly installs: number }
> {
  const held = await tx.maybe(sql`select from apps where organization_id = ${organizationId} and app_key = ${appKey} for update`);
  if (held === null) return { kind: 'missing' };
  const installed = await tx.maybe<{ application_id: string; installs: number }>(sql`
    select min(i.application_id) as application_id, count(*) as installs
      from applications a
      join app_installs i on i.application_id = a.application_id and i.app_key = ${appKey}
     where a.organization_id = ${organizationId} and (i.status <> 'uninstalled' or i.handshake_until > ${now})
    having count(*) > 0`);
  if (installed !== null) return { kind: 'installed', applicationId: installed.application_id, installs: Number(installed.installs) };
  await tx.execute(sql`delete from apps where organization_id = ${organizationId} and app_key = ${appKey}`);
  return { kind: 'deleted' };
}

export async function listApps(tx: Tx, organizationId: string, page: { page: number; page_size: number }): Promise<Page<App>> {
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from apps where organization_id = ${organizationId}`);
  const rows = await tx.query<AppRow>(sql`
    select * from apps where organization_id = ${organizationId} order by app_key
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(app), total };
}
