import type { DatabaseSync } from 'node:sqlite';
import { assertSealingKeys, type SealingKeys } from './envelope.ts';
import { fromRow, type Sealing, type StoredTenant, TENANT_COLUMNS, toRow } from './stored-tenant.ts';
import { type JsonValue, listLimit, recordText, type TenantRecords, type TenantStore } from './tenant-store.ts';

export interface SqliteTenantStoreOptions {
  readonly appKey: string;
  /** Of `node:sqlite`, opened by you; for this store alone. Several processes may open one file. */
  readonly database: DatabaseSync;
  readonly sealingKeys: SealingKeys;
}

const SCHEMA = `
  pragma foreign_keys = on;
  pragma busy_timeout = 5000;
  create table if not exists app_kit_tenants (
    app_key text not null, client_key text not null, issuer text not null, base_url text not null,
    state text not null check (state in ('installed', 'uninstalled')), enabled integer not null, sealed_secrets blob not null,
    details text not null, lifecycle_iat integer not null, enabled_iat integer not null, installed_at integer not null,
    uninstalled_at integer, purge_after integer,
    primary key (app_key, client_key)) strict;
  create table if not exists app_kit_records (
    app_key text not null, client_key text not null, key text not null, value text not null,
    primary key (app_key, client_key, key),
    foreign key (app_key, client_key) references app_kit_tenants on delete cascade) strict;
  create table if not exists app_kit_spent_tokens (
    app_key text not null, client_key text not null, digest text not null, expires_at integer not null,
    primary key (app_key, client_key, digest)) strict;
`;

/** Tenants in a SQLite file: for an App on one machine. Makes its tables where they are missing. */
export function sqliteTenantStore({ appKey, database, sealingKeys }: SqliteTenantStoreOptions): TenantStore {
  assertSealingKeys(sealingKeys);
  database.exec(SCHEMA);
  const sealing: Sealing = { appKey, keys: sealingKeys };
  const find = database.prepare(`select ${TENANT_COLUMNS.join(', ')} from app_kit_tenants where app_key = ? and client_key = ?`);
  const write = database.prepare(`
    insert into app_kit_tenants (app_key, ${TENANT_COLUMNS.join(', ')}) values (?, ${TENANT_COLUMNS.map(() => '?').join(', ')})
    on conflict (app_key, client_key) do update set ${TENANT_COLUMNS.slice(1)
      .map((column) => `${column} = excluded.${column}`)
      .join(', ')}`);
  const spend = database.prepare(
    'insert into app_kit_spent_tokens (app_key, client_key, digest, expires_at) values (?, ?, ?, ?) on conflict do nothing',
  );
  const forgetSpent = database.prepare('delete from app_kit_spent_tokens where app_key = ? and client_key = ? and expires_at <= ?');

  const findNow = (clientKey: string) => {
    const row = find.get(appKey, clientKey) as StoredTenant | undefined;
    return row === undefined ? null : fromRow(row, sealing);
  };

  return {
    appKey,
    async find(clientKey) {
      return findNow(clientKey);
    },
    async change(clientKey, to) {
      return inTransaction(database, () => {
        const changed = to(findNow(clientKey));
        if (changed === null) return findNow(clientKey);
        if (changed.clientKey !== clientKey) throw new RangeError('a change stays with its tenant');
        const row = toRow(changed, sealing);
        write.run(appKey, ...TENANT_COLUMNS.map((column) => row[column]));
        return changed;
      });
    },
    async spendToken(clientKey, digest, until, now) {
      return inTransaction(database, () => {
        forgetSpent.run(appKey, clientKey, now);
        return spend.run(appKey, clientKey, digest, until).changes === 1 ? 'spent' : 'used';
      });
    },
    async purge(now) {
      database.prepare('delete from app_kit_spent_tokens where app_key = ? and expires_at <= ?').run(appKey, now);
      return Number(database.prepare('delete from app_kit_tenants where app_key = ? and purge_after <= ?').run(appKey, now).changes);
    },
    records: (clientKey) => recordsOf(database, appKey, clientKey),
  };
}

function recordsOf(database: DatabaseSync, appKey: string, clientKey: string): TenantRecords {
  const mine = 'app_key = ? and client_key = ?';
  return {
    async get(key) {
      const row = database.prepare(`select value from app_kit_records where ${mine} and key = ?`).get(appKey, clientKey, key);
      return row === undefined ? null : (JSON.parse(String(row['value'])) as JsonValue);
    },
    async put(key, value) {
      database
        .prepare(`insert into app_kit_records (app_key, client_key, key, value) values (?, ?, ?, ?)
                  on conflict (app_key, client_key, key) do update set value = excluded.value`)
        .run(appKey, clientKey, key, recordText(key, value));
    },
    async delete(key) {
      return database.prepare(`delete from app_kit_records where ${mine} and key = ?`).run(appKey, clientKey, key).changes === 1;
    },
    async list({ prefix = '', after = '', limit } = {}) {
      const rows = database
        .prepare(`select key, value from app_kit_records where ${mine} and key > ? and substr(key, 1, length(?)) = ? order by key limit ?`)
        .all(appKey, clientKey, after, prefix, prefix, listLimit(limit));
      return rows.map((row) => ({ key: String(row['key']), value: JSON.parse(String(row['value'])) as JsonValue }));
    },
  };
}

/** Waits for another process's transaction, and runs its own without a pause in between. */
function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('begin immediate');
  try {
    const result = work();
    database.exec('commit');
    return result;
  } catch (failure) {
    database.exec('rollback');
    throw failure;
  }
}
