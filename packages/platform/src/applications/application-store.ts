import type { ApplicationId } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { type OrganizationTx, sql, type Sql, type Tx } from '@bulkhead/postgres';
import type {
  Application,
  ApplicationChanges,
  ApplicationEnvironment,
  ApplicationSettings,
  Branding,
  BrandingChanges,
  EventSettings,
  EventSettingsChanges,
} from './application.ts';

interface ApplicationRow {
  application_id: ApplicationId;
  organization_id: string;
  name: string;
  description: string;
  logo_url: string | null;
  environment: ApplicationEnvironment;
  active: boolean;
  implicit_grant_enabled: boolean;
  pkce_required: boolean;
  recent_enabled: boolean;
  events_enabled: boolean;
  end_customer: string | null;
  enabled_services: string[] | null;
  source_application_id: string | null;
  source_revision: number | null;
  revision: number;
  created_at: Date;
  modified_at: Date;
}

interface BrandingRow {
  display_name: string | null;
  branding_logo_url: string | null;
  primary_colour: string | null;
  background_colour: string | null;
  support_url: string | null;
  privacy_url: string | null;
  locale: string | null;
  redirect_domain: string | null;
}

function application(row: ApplicationRow): Application {
  return {
    applicationId: row.application_id,
    organizationId: row.organization_id,
    name: row.name,
    description: row.description,
    logoUrl: row.logo_url,
    environment: row.environment,
    active: row.active,
    implicitGrantEnabled: row.implicit_grant_enabled,
    pkceRequired: row.pkce_required,
    recentEnabled: row.recent_enabled,
    eventsEnabled: row.events_enabled,
    endCustomer: row.end_customer,
    enabledServices: row.enabled_services,
    sourceApplicationId: row.source_application_id,
    sourceRevision: row.source_revision,
    revision: row.revision,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

function branding(row: BrandingRow): Branding {
  return {
    displayName: row.display_name,
    logoUrl: row.branding_logo_url,
    primaryColour: row.primary_colour,
    backgroundColour: row.background_colour,
    supportUrl: row.support_url,
    privacyUrl: row.privacy_url,
    locale: row.locale,
    redirectDomain: row.redirect_domain,
  };
}

/** The Application with its branding, or null where it is unknown or deleted. An inactive one is found. */
export async function getApplicationSettings(tx: Tx, applicationId: ApplicationId): Promise<ApplicationSettings | null> {
  const row = await tx.maybe<ApplicationRow & BrandingRow>(sql`
    select a.*, b.display_name, b.logo_url as branding_logo_url, b.primary_colour, b.background_colour, b.support_url,
           b.privacy_url, b.locale, b.redirect_domain
      from applications a left join branding b using (application_id)
     where a.application_id = ${applicationId} and a.deleted_at is null`);
  return row === null ? null : { ...application(row), branding: branding(row) };
}

/** When the Application was deleted, null while it lives; undefined where there is none, or none any more. */
export async function findDeletion(tx: Tx, applicationId: ApplicationId): Promise<Date | null | undefined> {
  const row = await tx.maybe<{ deleted_at: Date | null }>(sql`select deleted_at from applications where application_id = ${applicationId}`);
  return row?.deleted_at;
}

/** Whether the Application exists and belongs to the organization: what lets a Meta token in. */
export async function isOwnedBy(tx: Tx, applicationId: ApplicationId, organizationId: string): Promise<boolean> {
  const row = await tx.maybe(sql`
    select 1 from applications
     where application_id = ${applicationId} and organization_id = ${organizationId} and deleted_at is null`);
  return row !== null;
}

export interface ApplicationFilter {
  readonly page: number;
  readonly page_size: number;
  readonly active?: boolean | undefined;
  readonly environment?: ApplicationEnvironment | undefined;
  readonly source?: string | undefined;
  readonly search?: string | undefined;
}

export async function listApplications(tx: OrganizationTx, filter: ApplicationFilter): Promise<Page<Application>> {
  const where: Sql[] = [sql`organization_id = ${tx.organizationId}`, sql`deleted_at is null`];
  if (filter.active !== undefined) where.push(sql`active = ${filter.active}`);
  if (filter.environment !== undefined) where.push(sql`environment = ${filter.environment}`);
  if (filter.source !== undefined) where.push(sql`source_application_id = ${filter.source}`);
  if (filter.search !== undefined)
    where.push(
      sql`(strpos(lower(name), lower(${filter.search})) > 0 or strpos(lower(coalesce(end_customer, '')), lower(${filter.search})) > 0)`,
    );
  const condition = sql.join(where, sql.raw(' and '));
  const [total, rows] = await Promise.all([
    tx.one<{ total: number }>(sql`select count(*) as total from applications where ${condition}`),
    tx.query<ApplicationRow>(sql`
      select * from applications where ${condition} order by created_at desc, application_id
       limit ${filter.page_size} offset ${(filter.page - 1) * filter.page_size}`),
  ]);
  return { rows: rows.map(application), total: total.total };
}

export async function insertApplication(
  tx: Tx,
  fields: {
    applicationId: ApplicationId;
    organizationId: string;
    changes: ApplicationChanges & { name: string };
    source: { applicationId: string; revision: number } | null;
    now: Date;
  },
): Promise<void> {
  const { changes, now } = fields;
  await tx.execute(sql`
    insert into applications (application_id, organization_id, name, description, logo_url, environment, active, implicit_grant_enabled,
                              pkce_required, recent_enabled, events_enabled, end_customer, enabled_services,
                              source_application_id, source_revision, created_at, modified_at)
    values (${fields.applicationId}, ${fields.organizationId}, ${changes.name}, ${changes.description ?? ''}, ${changes.logoUrl ?? null},
            ${changes.environment ?? 'production'}, ${changes.active ?? true}, ${changes.implicitGrantEnabled ?? false},
            ${changes.pkceRequired ?? true}, ${changes.recentEnabled ?? false}, ${changes.eventsEnabled ?? false},
            ${changes.endCustomer ?? null}, ${changes.enabledServices ?? null},
            ${fields.source?.applicationId ?? null}, ${fields.source?.revision ?? null}, ${now}, ${now})`);
  await tx.execute(sql`insert into branding (application_id) values (${fields.applicationId})`);
  await tx.execute(sql`insert into event_settings (application_id) values (${fields.applicationId})`);
}

export async function updateApplication(tx: Tx, applicationId: ApplicationId, changes: ApplicationChanges, now: Date): Promise<void> {
  const set = assignments([
    ['name', changes.name],
    ['description', changes.description],
    ['logo_url', changes.logoUrl],
    ['environment', changes.environment],
    ['active', changes.active],
    ['implicit_grant_enabled', changes.implicitGrantEnabled],
    ['pkce_required', changes.pkceRequired],
    ['recent_enabled', changes.recentEnabled],
    ['events_enabled', changes.eventsEnabled],
    ['end_customer', changes.endCustomer],
    ['enabled_services', changes.enabledServices],
  ]);
  if (set.length === 0) return;
  await tx.execute(sql`
    update applications set ${sql.join(set)}, revision = revision + 1, modified_at = ${now} where application_id = ${applicationId}`);
}

/**
 * Takes the Application's own row first. Whoever changes a row below it writes its revision afterwards, whoever changes both begins
 * above; two that met from opposite ends would deadlock.
 */
async function holdApplication(tx: Tx, applicationId: ApplicationId): Promise<void> {
  await tx.execute(sql`select from applications where application_id = ${applicationId} for no key update`);
}

export async function updateBranding(tx: Tx, applicationId: ApplicationId, changes: BrandingChanges): Promise<void> {
  const set = assignments([
    ['display_name', changes.displayName],
    ['logo_url', changes.logoUrl],
    ['primary_colour', changes.primaryColour],
    ['background_colour', changes.backgroundColour],
    ['support_url', changes.supportUrl],
    ['privacy_url', changes.privacyUrl],
    ['locale', changes.locale],
    ['redirect_domain', changes.redirectDomain],
  ]);
  if (set.length === 0) return;
  await holdApplication(tx, applicationId);
  await tx.execute(sql`update branding set ${sql.join(set)} where application_id = ${applicationId}`);
}

export async function getEventSettings(tx: Tx, applicationId: ApplicationId): Promise<EventSettings> {
  const row = await tx.one<{ events_enabled: boolean; retention_hours: number; types: string[] | null }>(sql`
    select a.events_enabled, e.retention_hours, e.types
      from event_settings e join applications a using (application_id) where e.application_id = ${applicationId}`);
  return { enabled: row.events_enabled, retentionHours: row.retention_hours, types: row.types };
}

/** How many hours an Application keeps its events now: a part of a statement that is one number. */
export function retentionHours(applicationId: ApplicationId): Sql {
  return sql`(select retention_hours from event_settings where application_id = ${applicationId})`;
}

/** The same of all Applications that keep any: the longest. For the system role. */
export function longestRetentionHours(): Sql {
  return sql`(select max(e.retention_hours) from event_settings e join applications a using (application_id) where a.events_enabled)`;
}

export async function updateEventSettings(tx: Tx, applicationId: ApplicationId, changes: EventSettingsChanges, now: Date): Promise<void> {
  await holdApplication(tx, applicationId);
  await updateApplication(tx, applicationId, { eventsEnabled: changes.enabled }, now);
  const set = assignments([
    ['retention_hours', changes.retentionHours],
    ['types', changes.types],
  ]);
  if (set.length > 0) await tx.execute(sql`update event_settings set ${sql.join(set)} where application_id = ${applicationId}`);
}

/** The template of an Application, where it has one that still exists in the same organization. */
export async function findSource(tx: Tx, settings: Application): Promise<ApplicationId | null> {
  const row = await tx.maybe<{ application_id: ApplicationId }>(sql`
    select application_id from applications
     where application_id = ${settings.sourceApplicationId} and organization_id = ${settings.organizationId} and deleted_at is null`);
  return row?.application_id ?? null;
}

/** Notes the template's revision that the Application was brought in line with. */
export async function recordSourceRevision(tx: Tx, applicationId: ApplicationId, revision: number, now: Date): Promise<void> {
  await tx.execute(sql`
    update applications set source_revision = ${revision}, revision = revision + 1, modified_at = ${now} where application_id = ${applicationId}`);
}

/** Marks it deleted; from the commit on nothing finds it. What hangs below goes with `eraseApplication`. */
export async function markApplicationDeleted(tx: Tx, applicationId: ApplicationId, now: Date): Promise<void> {
  await tx.execute(
    sql`update applications set deleted_at = ${now}, active = false where application_id = ${applicationId} and deleted_at is null`,
  );
}

/** Removes every row of the Application, its data keys too: what an old dump holds of it cannot be opened again. */
export async function eraseApplication(tx: Tx, applicationId: ApplicationId): Promise<void> {
  await tx.execute(sql`delete from applications where application_id = ${applicationId} and deleted_at is not null`);
}

/** Locks an Application that is to be copied, so that the copy is of one moment. False where this organization has none of that id. */
export async function lockCloneSource(tx: Tx, from: ApplicationId, organizationId: string): Promise<boolean> {
  const source = await tx.maybe(sql`
    select 1 from applications
     where application_id = ${from} and organization_id = ${organizationId} and deleted_at is null for share`);
  return source !== null;
}

/**
 * Copies what `source` keeps in its own row, branding and event settings into a new Application. Runs as the system role,
 * the only one that sees two Applications.
 */
export async function cloneApplication(
  tx: Tx,
  { from, to, name, now }: { from: ApplicationId; to: ApplicationId; name: string; now: Date },
): Promise<void> {
  await Promise.all([
    tx.execute(sql`
    insert into applications (application_id, organization_id, name, description, logo_url, environment, active, implicit_grant_enabled,
                              pkce_required, recent_enabled, events_enabled, end_customer, enabled_services,
                              source_application_id, source_revision, created_at, modified_at)
    select ${to}, organization_id, ${name}, description, logo_url, environment, active, implicit_grant_enabled,
           pkce_required, recent_enabled, events_enabled, null, enabled_services, application_id, revision, ${now}, ${now}
      from applications where application_id = ${from}`),
    tx.execute(sql`
    insert into branding (application_id, display_name, logo_url, primary_colour, background_colour, support_url, privacy_url, locale)
    select ${to}, display_name, logo_url, primary_colour, background_colour, support_url, privacy_url, locale
      from branding where application_id = ${from}`),
    tx.execute(sql`
    insert into event_settings (application_id, retention_hours, types)
    select ${to}, retention_hours, types from event_settings where application_id = ${from}`),
  ]);
}

function assignments(
  fields: readonly (readonly [column: string, value: string | number | boolean | readonly string[] | null | undefined])[],
): Sql[] {
  return fields.flatMap(([column, value]) => (value === undefined ? [] : [sql`${sql.identifier(column)} = ${value}`]));
}
