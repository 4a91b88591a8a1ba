import { type ApplicationId, randomBase62 } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { isUniqueViolation, sql, type JsonValue, type Tx } from '@bulkhead/postgres';
import { endpointsFingerprint, findCatalogueEntry, parseServiceDefinition, type ServiceDefinition } from '../services/index.ts';
import { CHILDREN_MAX } from './application.ts';
import { applicationErrors } from './application-errors.ts';

/** A service that an Application defines for itself. Its callback id belongs to its endpoints and changes with them. */
export interface CustomService {
  readonly definition: ServiceDefinition;
  readonly callbackId: string;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

interface CustomServiceRow {
  definition: unknown;
  callback_id: string;
  created_at: Date;
  modified_at: Date;
}

function customService(row: CustomServiceRow): CustomService {
  return {
    definition: parseServiceDefinition(row.definition),
    callbackId: row.callback_id,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

function newCallbackId(): string {
  return `cb${randomBase62(22)}`;
}

export async function addCustomService(
  tx: Tx,
  applicationId: ApplicationId,
  definition: ServiceDefinition,
  now: Date,
): Promise<CustomService> {
  if (findCatalogueEntry(definition.id) !== null)
    throw applicationErrors('custom_service.exists', { params: { service: definition.id }, field: 'id' });
  const { held } = await tx.one<{ held: number }>(
    sql`select count(*) as held from custom_services where application_id = ${applicationId}`,
  );
  if (held >= CHILDREN_MAX.customServices)
    throw applicationErrors('limit.reached', { params: { limit: CHILDREN_MAX.customServices, things: 'custom services' } });
  try {
    return customService(
      await tx.one<CustomServiceRow>(sql`
        insert into custom_services (application_id, service, definition, callback_id, created_at, modified_at)
        values (${applicationId}, ${definition.id}, ${sql.json(definition as JsonValue)}, ${newCallbackId()}, ${now}, ${now}) returning *`),
    );
  } catch (thrown) {
    throw isUniqueViolation(thrown)
      ? applicationErrors('custom_service.exists', { params: { service: definition.id }, field: 'id' })
      : thrown;
  }
}

/** Replaces the definition. New endpoints get a new callback id, so a flow begun at the old ones cannot end at the new. */
export async function replaceCustomService(
  tx: Tx,
  applicationId: ApplicationId,
  before: CustomService,
  definition: ServiceDefinition,
  now: Date,
): Promise<CustomService> {
  const moved = endpointsFingerprint(before.definition) !== endpointsFingerprint(definition);
  return customService(
    await tx.one<CustomServiceRow>(sql`
      update custom_services
         set definition = ${sql.json(definition as JsonValue)}, callback_id = ${moved ? newCallbackId() : before.callbackId}, modified_at = ${now}
       where application_id = ${applicationId} and service = ${definition.id} returning *`),
  );
}

export async function findCustomService(tx: Tx, applicationId: ApplicationId, id: string): Promise<CustomService | null> {
  const row = await tx.maybe<CustomServiceRow>(
    sql`select * from custom_services where application_id = ${applicationId} and service = ${id}`,
  );
  return row === null ? null : customService(row);
}

export async function listCustomServices(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<CustomService>> {
  const { total } = await tx.one<{ total: number }>(
    sql`select count(*) as total from custom_services where application_id = ${applicationId}`,
  );
  const rows = await tx.query<CustomServiceRow>(sql`
    select * from custom_services where application_id = ${applicationId} order by created_at, service
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(customService), total };
}

/** Deletes the service and its OAuth key. Refused while accounts are connected to it. */
export async function deleteCustomService(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  const inUse = await tx.maybe(
    sql`select 1 from accounts where application_id = ${applicationId} and service = ${id} and not provisional limit 1`,
  );
  if (inUse !== null) throw applicationErrors('custom_service.in_use');
  await tx.execute(sql`delete from oauth_keys where application_id = ${applicationId} and service = ${id}`);
  return (await tx.execute(sql`delete from custom_services where application_id = ${applicationId} and service = ${id}`)) === 1;
}

/**
 * Callback ids are carried along: ten thousand clones share one redirect URI registered at the provider. A service that the
 * target has already is replaced; one that only the target has stays.
 */
export async function cloneCustomServices(tx: Tx, { from, to, now }: { from: ApplicationId; to: ApplicationId; now: Date }): Promise<void> {
  await tx.execute(sql`
    insert into custom_services (application_id, service, definition, callback_id, created_at, modified_at)
    select ${to}, service, definition, callback_id, ${now}, ${now} from custom_services where application_id = ${from}
    on conflict (application_id, service) do update
      set definition = excluded.definition, callback_id = excluded.callback_id, modified_at = excluded.modified_at`);
}
