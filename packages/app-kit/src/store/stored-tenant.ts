import { Secret } from '@bulkhead/base';
import type { TenantDetails } from '../lifecycle-call.ts';
import type { TenantRecord, TenantSecret } from '../tenant-record.ts';
import { openEnvelope, type SealingKeys, sealEnvelope } from './envelope.ts';

/** A tenant as a row: times in milliseconds, but `iat`s in seconds, as they were signed. Secrets are there as one sealed value only. */
export interface StoredTenant {
  readonly client_key: string;
  readonly issuer: string;
  readonly base_url: string;
  readonly state: string;
  readonly enabled: number;
  readonly sealed_secrets: Uint8Array;
  readonly details: string;
  readonly lifecycle_iat: number;
  readonly enabled_iat: number;
  readonly installed_at: number;
  readonly uninstalled_at: number | null;
  readonly purge_after: number | null;
}

/** The columns, in the order in which every statement of both stores writes them. */
export const TENANT_COLUMNS = [
  'client_key',
  'issuer',
  'base_url',
  'state',
  'enabled',
  'sealed_secrets',
  'details',
  'lifecycle_iat',
  'enabled_iat',
  'installed_at',
  'uninstalled_at',
  'purge_after',
] as const satisfies readonly (keyof StoredTenant)[];

export interface Sealing {
  readonly appKey: string;
  readonly keys: SealingKeys;
}

interface SealedSecret {
  readonly s: string;
  readonly r: number;
  readonly c: number | null;
  readonly u: number | null;
}

export function toRow(tenant: TenantRecord, sealing: Sealing): StoredTenant {
  const secrets = tenant.secrets.map(
    ({ sharedSecret, receivedAt, confirmedAt, acceptedUntil }): SealedSecret => ({
      s: sharedSecret.reveal(),
      r: receivedAt,
      c: confirmedAt,
      u: acceptedUntil,
    }),
  );
  return {
    client_key: tenant.clientKey,
    issuer: tenant.issuer,
    base_url: tenant.baseUrl,
    state: tenant.state,
    enabled: Number(tenant.enabled),
    sealed_secrets: sealEnvelope(sealing.keys, JSON.stringify(secrets), place(sealing.appKey, tenant.clientKey)),
    details: JSON.stringify(tenant.details),
    lifecycle_iat: tenant.lifecycleIat,
    enabled_iat: tenant.enabledIat,
    installed_at: tenant.installedAt,
    uninstalled_at: tenant.uninstalledAt,
    purge_after: tenant.purgeAfter,
  };
}

export function fromRow(row: StoredTenant, sealing: Sealing): TenantRecord {
  const secrets = JSON.parse(openEnvelope(sealing.keys, row.sealed_secrets, place(sealing.appKey, row.client_key))) as SealedSecret[];
  return {
    clientKey: row.client_key,
    issuer: row.issuer,
    baseUrl: row.base_url,
    state: row.state === 'installed' ? 'installed' : 'uninstalled',
    enabled: Number(row.enabled) === 1,
    secrets: secrets.map(
      ({ s, r, c, u }): TenantSecret => ({ sharedSecret: new Secret(s), receivedAt: r, confirmedAt: c, acceptedUntil: u }),
    ),
    details: JSON.parse(row.details) as TenantDetails,
    lifecycleIat: Number(row.lifecycle_iat),
    enabledIat: Number(row.enabled_iat),
    installedAt: Number(row.installed_at),
    uninstalledAt: row.uninstalled_at === null ? null : Number(row.uninstalled_at),
    purgeAfter: row.purge_after === null ? null : Number(row.purge_after),
  };
}

function place(appKey: string, clientKey: string): string {
  return JSON.stringify(['app-kit tenant secrets', appKey, clientKey]);
}
