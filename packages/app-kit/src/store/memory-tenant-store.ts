import type { TenantRecord } from '../tenant-record.ts';
import { type JsonValue, listLimit, recordText, SPENT_TOKENS_MAX, type TenantRecords, type TenantStore } from './tenant-store.ts';

/** Tenants in the memory of one process, for tests and first steps: gone with it, and then every tenant has to be installed again. */
export function memoryTenantStore({ appKey }: { readonly appKey: string }): TenantStore {
  const tenants = new Map<string, TenantRecord>();
  const records = new Map<string, Map<string, string>>();
  const spent = new Map<string, Map<string, number>>();

  return {
    appKey,
    find: (clientKey) => Promise.resolve(tenants.get(clientKey) ?? null),
    async change(clientKey, to) {
      const changed = to(tenants.get(clientKey) ?? null);
      if (changed !== null) tenants.set(clientKey, changed);
      return tenants.get(clientKey) ?? null;
    },
    records: (clientKey) => recordsOf(clientKey),
    spendToken(clientKey, digest, until, now) {
      const used = spent.get(clientKey) ?? new Map<string, number>();
      spent.set(clientKey, used);
      if ((used.get(digest) ?? 0) > now) return Promise.resolve('used');
      if (used.size >= SPENT_TOKENS_MAX) for (const [other, ends] of used) if (ends <= now) used.delete(other);
      if (used.size >= SPENT_TOKENS_MAX) return Promise.resolve('full');
      used.set(digest, until);
      return Promise.resolve('spent');
    },
    purge(now) {
      const gone = [...tenants.values()].filter(({ purgeAfter }) => purgeAfter !== null && purgeAfter <= now);
      for (const { clientKey } of gone) for (const kept of [tenants, records, spent]) kept.delete(clientKey);
      return Promise.resolve(gone.length);
    },
  };

  function recordsOf(clientKey: string): TenantRecords {
    const mine = (): Map<string, string> => records.get(clientKey) ?? new Map<string, string>();
    return {
      get(key) {
        const text = mine().get(key);
        return Promise.resolve(text === undefined ? null : (JSON.parse(text) as JsonValue));
      },
      async put(key, value) {
        const text = recordText(key, value);
        if (!tenants.has(clientKey)) throw new RangeError('no such tenant');
        records.set(clientKey, mine().set(key, text));
      },
      delete: (key) => Promise.resolve(mine().delete(key)),
      async list({ prefix = '', after = '', limit } = {}) {
        const keys = [...mine().keys()].filter((key) => key.startsWith(prefix) && key > after).sort(byCodePoint);
        return keys.slice(0, listLimit(limit)).map((key) => ({ key, value: JSON.parse(mine().get(key) ?? 'null') as JsonValue }));
      },
    };
  }
}

/** As PostgreSQL's "C" collation and SQLite order text: by the bytes of UTF-8. */
function byCodePoint(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
