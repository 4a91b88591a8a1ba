import type { Json, SetOptions as HostSetOptions, StoredRecord } from '../storage-types.ts';

const SECONDS = { SECONDS: 1, MINUTES: 60, HOURS: 3_600, DAYS: 86_400 } as const;

export const MetadataField = { CREATED_AT: 'CREATED_AT', UPDATED_AT: 'UPDATED_AT', EXPIRE_TIME: 'EXPIRE_TIME' } as const;
export type MetadataFields = readonly (keyof typeof MetadataField)[];

export interface SetOptions {
  readonly ttl?: { readonly unit: keyof typeof SECONDS; readonly value: number };
  readonly keyPolicy?: 'OVERRIDE' | 'FAIL_IF_EXISTS';
  readonly returnValue?: 'PREVIOUS' | 'LATEST';
  readonly returnMetadataFields?: MetadataFields;
}

export interface ResultWithMetadata<Value = Json> {
  readonly key: string;
  readonly value: Value;
  /** Milliseconds since 1970. */
  readonly createdAt?: number;
  readonly updatedAt?: number;
  /** ISO 8601. */
  readonly expireTime?: string;
}

export function hostOptions({ ttl, keyPolicy, returnValue }: SetOptions = {}): HostSetOptions {
  return {
    ...(ttl === undefined ? {} : { ttlSeconds: ttl.value * SECONDS[ttl.unit] }),
    ...(keyPolicy === 'FAIL_IF_EXISTS' ? { if: 'absent' as const } : {}),
    ...(returnValue === undefined ? {} : { return: returnValue === 'PREVIOUS' ? ('previous' as const) : ('latest' as const) }),
  };
}

export function withMetadata<Value extends Json>(
  { key, value, createdAt, updatedAt, expiresAt }: StoredRecord<Value>,
  fields: MetadataFields,
): ResultWithMetadata<Value> {
  return {
    key,
    value,
    ...(fields.includes('CREATED_AT') ? { createdAt: createdAt.getTime() } : {}),
    ...(fields.includes('UPDATED_AT') ? { updatedAt: updatedAt.getTime() } : {}),
    ...(fields.includes('EXPIRE_TIME') && expiresAt !== null ? { expireTime: expiresAt.toISOString() } : {}),
  };
}
