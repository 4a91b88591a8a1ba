import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { catalogueEntries, findCatalogueEntry, type UpstreamService, upstreamService } from '../services/index.ts';
import { findCustomService, listCustomServices } from './custom-service-store.ts';
import { CHILDREN_MAX } from './application.ts';

/** A service as one Application may use it. */
export interface ConnectableService {
  readonly service: UpstreamService;
  /** Last part of the callback path at which the provider's answers for it arrive. */
  readonly callbackId: string;
  readonly oauthKeyId: string | null;
}

/** What can be connected: enabled, and (for OAuth) with a key. In the order custom services, then catalogue. */
export async function listConnectableServices(tx: Tx, applicationId: ApplicationId): Promise<ConnectableService[]> {
  const { enabled_services: enabled } = await tx.one<{ enabled_services: string[] | null }>(sql`
    select enabled_services from applications where application_id = ${applicationId}`);
  const keys = await keysByService(tx, applicationId);
  const custom = await listCustomServices(tx, applicationId, { page: 1, page_size: CHILDREN_MAX.customServices });
  const all: ConnectableService[] = [
    ...custom.rows.map(({ definition, callbackId }) => ({
      service: upstreamService(definition),
      callbackId,
      oauthKeyId: keys.get(definition.id) ?? null,
    })),
    ...catalogueEntries.map((service) => ({
      service,
      callbackId: service.definition.id,
      oauthKeyId: keys.get(service.definition.id) ?? null,
    })),
  ];
  return all.filter(
    ({ service: { definition }, oauthKeyId }) =>
      (definition.auth.type !== 'oauth2' || oauthKeyId !== null) && (enabled === null || enabled.includes(definition.id)),
  );
}

/** One service, whether connectable now or not: accounts may hang from it still. */
export async function findService(tx: Tx, applicationId: ApplicationId, id: string): Promise<ConnectableService | null> {
  const custom = await findCustomService(tx, applicationId, id);
  const listed = findCatalogueEntry(id);
  const oauthKeyId = (await keysByService(tx, applicationId)).get(id) ?? null;
  if (custom !== null) return { service: upstreamService(custom.definition), callbackId: custom.callbackId, oauthKeyId };
  return listed === null ? null : { service: listed, callbackId: listed.definition.id, oauthKeyId };
}

async function keysByService(tx: Tx, applicationId: ApplicationId): Promise<Map<string, string>> {
  const rows = await tx.query<{ service: string; oauth_key_id: string }>(
    sql`select service, oauth_key_id from oauth_keys where application_id = ${applicationId}`,
  );
  return new Map(rows.map((row) => [row.service, row.oauth_key_id]));
}
