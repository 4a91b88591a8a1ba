import type { TenantRecord } from '../tenant-record.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue | undefined };

/** What an App keeps for one tenant, and only for it: there is no way from here to another one's. */
export interface TenantRecords {
  get(key: string): Promise<JsonValue | null>;
  /** Writes or replaces. A key has at most 255 characters, a value 256 KiB as JSON; the tenant must be known. */
  put(key: string, value: JsonValue): Promise<void>;
  /** Whether there was one. */
  delete(key: string): Promise<boolean>;
  /** In the order of their keys, from the first that begins with `prefix` and comes after `after`; at most `limit` (default 100, at most 1000). */
  list(query?: { readonly prefix?: string; readonly after?: string; readonly limit?: number }): Promise<readonly TenantRecordEntry[]>;
}

export interface TenantRecordEntry {
  readonly key: string;
  readonly value: JsonValue;
}

/**
 * Where an App keeps its tenants: one record per clientKey, whatever comes at once. A store belongs to one App (`appKey`); two Apps may
 * use the same database. Every method names its tenant.
 */
export interface TenantStore {
  readonly appKey: string;
  /** Uninstalled tenants too, until they are purged. */
  find(clientKey: string): Promise<TenantRecord | null>;
  /**
   * Replaces a tenant's record by what `to` makes of it, with nobody in between; `to` is pure and may run again. Null leaves things as they
   * are. Answers what is stored afterwards.
   */
  change(clientKey: string, to: (current: TenantRecord | null) => TenantRecord | null): Promise<TenantRecord | null>;
  records(clientKey: string): TenantRecords;
  /**
   * Notes that a token was used: `spent` for exactly one caller, on however many processes; `full` where a tenant has more under way than
   * is kept. `until` is when the token itself ends (milliseconds).
   */
  spendToken(clientKey: string, digest: string, until: number, now: number): Promise<'spent' | 'used' | 'full'>;
  /** Deletes the tenants whose `purgeAfter` has passed, with everything of theirs. Answers how many. */
  purge(now: number): Promise<number>;
}

export const RECORD_KEY_LENGTH_MAX = 255;
const RECORD_BYTES_MAX = 262_144;
const LIST_MAX = 1_000;
/** Tokens of one tenant that are remembered at once in memory: some 150 a second for five minutes. */
export const SPENT_TOKENS_MAX = 50_000;

/** The JSON text of a value, if it may be kept. Throws `RangeError`. */
export function recordText(key: string, value: JsonValue): string {
  if (key.length === 0 || key.length > RECORD_KEY_LENGTH_MAX || key.includes('\u0000'))
    throw new RangeError(`a key has 1 to ${RECORD_KEY_LENGTH_MAX} characters`);
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > RECORD_BYTES_MAX) throw new RangeError(`a record has at most ${RECORD_BYTES_MAX} bytes`);
  return text;
}

export function listLimit(limit = 100): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MAX) throw new RangeError(`a limit is 1 to ${LIST_MAX}`);
  return limit;
}
