import { assertSealingKeys, type SealingKeys } from './envelope.ts';
import { fromRow, type Sealing, type StoredTenant, TENANT_COLUMNS, toRow } from './stored-tenant.ts';
import { type JsonValue, listLimit, recordText, type TenantRecords, type TenantStore } from './tenant-store.ts';

/** What `pg` gives; the kit brings no driver of its own. */
export interface PgQuery {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly rowCount: number | null }>;
}

export interface PgPool extends PgQuery {
  connect(): Promise<PgQuery & { release(broken?: boolean): void }>;
}

export interface PostgresTenantStoreOptions {
  readonly appKey: string;
  /** A `pg.Pool` whose role is the `servingRole` of `postgresSchema`. */
  readonly pool: PgPool;
  readonly sealingKeys: SealingKeys;
}

export interface PostgresTenantStore extends TenantStore {
  /**
   * A transaction in which the tables of `tenantPolicy` hold the rows of this tenant and no others, whatever the statement says. The scope
   * ends with it, also behind a pooler.
   */
  withTenant<T>(clientKey: string, work: (tx: PgQuery) => Promise<T>): Promise<T>;
}

const COLUMNS = TENANT_COLUMNS.join(', ');
const WRITE = `
  insert into app_kit.tenants (app_key, ${COLUMNS}) values ($1, ${TENANT_COLUMNS.map((_, at) => `$${at + 2}`).join(', ')})
  on conflict (app_key, client_key) do update set ${TENANT_COLUMNS.slice(1)
    .map((column) => `${column} = excluded.${column}`)
    .join(', ')}`;

/** Tenants in PostgreSQL, for any number of processes. The schema is made beforehand (`postgresSchema`). */
export function postgresTenantStore({ appKey, pool, sealingKeys }: PostgresTenantStoreOptions): PostgresTenantStore {
  assertSealingKeys(sealingKeys);
  const sealing: Sealing = { appKey, keys: sealingKeys };
  let isolated: Promise<void> | undefined;

  /** Once, before the first row is asked for; asked again where it could not be answered. */
  async function ready(): Promise<void> {
    isolated ??= assertIsolated(pool);
    try {
      await isolated;
    } catch (failure) {
      isolated = undefined;
      throw failure;
    }
  }

  async function transaction<T>(begin: readonly [text: string, values: readonly unknown[]], work: (tx: PgQuery) => Promise<T>): Promise<T> {
    await ready();
    const client = await pool.connect();
    let broken = false;
    try {
      await client.query('begin');
      await client.query(...begin);
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (failure) {
      await client.query('rollback').catch(() => {
        broken = true;
      });
      throw failure;
    } finally {
      client.release(broken);
    }
  }

  const withTenant = <T>(clientKey: string, work: (tx: PgQuery) => Promise<T>): Promise<T> =>
    transaction(['select app_kit.scope($1, $2)', [appKey, clientKey]], work);

  return {
    appKey,
    withTenant,
    async find(clientKey) {
      await ready();
      const { rows } = await pool.query(`select ${COLUMNS} from app_kit.find_tenant($1, $2)`, [appKey, clientKey]);
      return rows[0] === undefined ? null : fromRow(rows[0] as unknown as StoredTenant, sealing);
    },
    change: (clientKey, to) =>
      withTenant(clientKey, async (tx) => {
        // A tenant that is not there yet has no row to lock.
        await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7001))', [JSON.stringify([appKey, clientKey])]);
        const { rows } = await tx.query(`select ${COLUMNS} from app_kit.tenants where app_key = $1 and client_key = $2`, [
          appKey,
          clientKey,
        ]);
        const current = rows[0] === undefined ? null : fromRow(rows[0] as unknown as StoredTenant, sealing);
        const changed = to(current);
        if (changed === null) return current;
        if (changed.clientKey !== clientKey) throw new RangeError('a change stays with its tenant');
        const row = toRow(changed, sealing);
        await tx.query(WRITE, [appKey, ...TENANT_COLUMNS.map((column) => row[column])]);
        return changed;
      }),
    async spendToken(clientKey, digest, until, now) {
      await ready();
      const { rows } = await pool.query('select app_kit.spend_token($1, $2, $3, $4, $5) as spent', [appKey, clientKey, digest, until, now]);
      return rows[0]?.['spent'] === true ? 'spent' : 'used';
    },
    purge: (now) =>
      transaction([`select app_kit.scope($1, ''), set_config('app_kit.purge_before', $2, true)`, [appKey, String(now)]], async (tx) => {
        await tx.query('delete from app_kit.spent_tokens');
        const { rowCount } = await tx.query('delete from app_kit.tenants');
        return rowCount ?? 0;
      }),
    records: (clientKey) => recordsOf(appKey, clientKey, (work) => withTenant(clientKey, work)),
  };
}

function recordsOf(appKey: string, clientKey: string, within: <T>(work: (tx: PgQuery) => Promise<T>) => Promise<T>): TenantRecords {
  const mine = 'app_key = $1 and client_key = $2';
  return {
    get: (key) =>
      within(async (tx) => {
        const { rows } = await tx.query(`select value from app_kit.records where ${mine} and key = $3`, [appKey, clientKey, key]);
        return rows[0] === undefined ? null : (JSON.parse(String(rows[0]['value'])) as JsonValue);
      }),
    put: (key, value) =>
      within(async (tx) => {
        await tx.query(
          `insert into app_kit.records (app_key, client_key, key, value) values ($1, $2, $3, $4)
           on conflict (app_key, client_key, key) do update set value = excluded.value`,
          [appKey, clientKey, key, recordText(key, value)],
        );
      }),
    delete: (key) =>
      within(
        async (tx) => (await tx.query(`delete from app_kit.records where ${mine} and key = $3`, [appKey, clientKey, key])).rowCount === 1,
      ),
    list: ({ prefix = '', after = '', limit } = {}) =>
      within(async (tx) => {
        const { rows } = await tx.query(
          `select key, value from app_kit.records where ${mine} and key > $3 and starts_with(key, $4) order by key limit $5`,
          [appKey, clientKey, after, prefix, listLimit(limit)],
        );
        return rows.map((row) => ({ key: String(row['key']), value: JSON.parse(String(row['value'])) as JsonValue }));
      }),
  };
}

/** A role that row-level security does not bind would make every policy here a comment. */
async function assertIsolated(pool: PgPool): Promise<void> {
  const { rows } = await pool.query('select rolsuper or rolbypassrls as free from pg_roles where rolname = current_user');
  if (rows[0]?.['free'] !== false) throw new Error('The role of this pool bypasses row-level security: serve with one that does not.');
}
