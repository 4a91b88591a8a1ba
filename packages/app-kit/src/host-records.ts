import { readBounded } from './outbound.ts';
import { appRefusals } from './refusals.ts';
import type { JsonValue } from './store/tenant-store.ts';
import type { TenantClient } from './tenant-client.ts';

const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

/** A record that a Bulkhead host keeps for an App. */
export interface HostRecord {
  readonly key: string;
  /** Changes with each change; none is given twice. */
  readonly version: number;
  readonly value: JsonValue;
}

export interface HostRecordPage {
  readonly records: readonly HostRecord[];
  /** Of the next page; null: this was the last. */
  readonly cursor: string | null;
}

/**
 * One collection of records that the tenant's host keeps for this App, and for no other (a Bulkhead host; 100,000 records and 100 MiB per tenant, each
 * record at most 64 KiB as JSON). They end when the App has been uninstalled for 30 days. Every method throws `app_kit.host_failed` for an answer
 * that it does not know.
 */
export interface HostRecords {
  get(key: string): Promise<HostRecord | null>;
  /**
   * Writes or replaces. `ifVersion`: only over that version; `ifAbsent`: only where there is none. Throws `app_kit.record_changed` where it is
   * otherwise, `app_kit.host_full` where the host takes no more.
   */
  put(
    key: string,
    value: JsonValue,
    condition?: { readonly ifVersion: number } | { readonly ifAbsent: true },
  ): Promise<{ version: number }>;
  /** Whether there was one. Throws `app_kit.record_changed`. */
  delete(key: string, condition?: { readonly ifVersion: number }): Promise<boolean>;
  /** A page, in the order of the keys; it may end before `pageSize` (default 100, at most 1,000). */
  list(query?: { readonly prefix?: string; readonly cursor?: string; readonly pageSize?: number }): Promise<HostRecordPage>;
  /** All of them, page by page. */
  all(query?: { readonly prefix?: string }): AsyncGenerator<HostRecord, void, undefined>;
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export function hostRecords(fetch: TenantClient['fetch'], collection: string): HostRecords {
  const base = `/rest/bulkhead/1/records/${encodeURIComponent(collection)}`;
  const at = (key: string): string => `${base}/${encodeURIComponent(key)}`;

  async function call(path: string, init: Parameters<TenantClient['fetch']>[1] = {}): Promise<Answer> {
    const answer = await fetch(path, init);
    const text = await readBounded(answer, ANSWER_BYTES_MAX);
    if (answer.status === 412) throw appRefusals('app_kit.record_changed');
    if (answer.status === 409) throw appRefusals('app_kit.host_full', { detail: text?.slice(0, 500) ?? '' });
    return { status: answer.status, json: parsed(text) };
  }

  const list: HostRecords['list'] = async ({ prefix, cursor, pageSize } = {}) => {
    const query = new URLSearchParams({
      ...(prefix === undefined ? {} : { prefix }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(pageSize === undefined ? {} : { page_size: String(pageSize) }),
    });
    const answer = await call(query.size === 0 ? base : `${base}?${query}`);
    const page = answer.json as { records?: unknown; cursor?: unknown } | null;
    if (answer.status !== 200 || !Array.isArray(page?.records)) throw refused(answer);
    return { records: page.records.map(recordOf), cursor: typeof page.cursor === 'string' ? page.cursor : null };
  };

  return {
    list,
    async get(key) {
      const answer = await call(at(key));
      if (answer.status === 404) return null;
      if (answer.status !== 200) throw refused(answer);
      return recordOf(answer.json);
    },
    async put(key, value, condition) {
      const answer = await call(at(key), {
        method: 'PUT',
        body: JSON.stringify(value),
        headers: {
          'content-type': 'application/json',
          ...(condition === undefined
            ? {}
            : 'ifVersion' in condition
              ? { 'if-match': `"${condition.ifVersion}"` }
              : { 'if-none-match': '*' }),
        },
      });
      const version = (answer.json as { version?: unknown } | null)?.version;
      if ((answer.status !== 200 && answer.status !== 201) || typeof version !== 'number') throw refused(answer);
      return { version };
    },
    async delete(key, condition) {
      const headers: Record<string, string> = condition === undefined ? {} : { 'if-match': `"${condition.ifVersion}"` };
      const answer = await call(at(key), { method: 'DELETE', headers });
      if (answer.status !== 204 && answer.status !== 404) throw refused(answer);
      return answer.status === 204;
    },
    async *all({ prefix } = {}) {
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const page: HostRecordPage = await list({
          ...(prefix === undefined ? {} : { prefix }),
          ...(cursor === undefined ? {} : { cursor }),
        });
        yield* page.records;
        cursor = page.cursor;
      }
    },
  };
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

function recordOf(json: unknown): HostRecord {
  const { key, version, value } = (json ?? {}) as { key?: unknown; version?: unknown; value?: JsonValue };
  if (typeof key !== 'string' || typeof version !== 'number' || value === undefined)
    throw appRefusals('app_kit.host_failed', { detail: 'no record' });
  return { key, version, value };
}

function refused({ status, json }: Answer): Error {
  const { code } = (json ?? {}) as { code?: unknown };
  return appRefusals('app_kit.host_failed', { detail: `status ${status}${typeof code === 'string' ? `, ${code.slice(0, 100)}` : ''}` });
}
