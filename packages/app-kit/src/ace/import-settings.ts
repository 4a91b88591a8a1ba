import { Secret } from '@bulkhead/base';
import { z } from 'zod';
import { type Issuer, tenantBaseUrl } from '../issuer.ts';
import type { PgQuery } from '../store/postgres-tenant-store.ts';
import type { JsonValue, TenantStore } from '../store/tenant-store.ts';
import { type TenantRecord, withInstall } from '../tenant-record.ts';

/** A row of the table in which atlassian-connect-express keeps everything. */
export interface AceRow {
  readonly clientKey: string | null;
  readonly key: string | null;
  /** JSON, parsed or as text. */
  readonly val: unknown;
}

export interface ImportOptions {
  readonly rows: AsyncIterable<AceRow> | Iterable<AceRow>;
  readonly store: TenantStore;
  /** Whose tenants these are: the first whose hosts match the base URL. */
  readonly issuers: readonly Issuer[];
  readonly now?: () => number;
}

export interface ImportReport {
  /** Tenants that are there now and were not before. */
  readonly tenants: number;
  /** Rows beside `clientInfo`, kept as records of their tenant. */
  readonly records: number;
  /** What was left out, and why. No value of a row stands here. */
  readonly skipped: readonly { readonly clientKey: string | null; readonly key: string | null; readonly why: string }[];
}

const clientInfo = z.object({
  clientKey: z.string().min(1).max(255),
  baseUrl: z.string().max(2_000),
  sharedSecret: z.string().min(32).max(512),
  oauthClientId: z.string().max(1_000).optional().catch(undefined),
  displayUrl: z.string().max(2_000).optional().catch(undefined),
  productType: z.string().max(100).optional().catch(undefined),
  description: z.string().max(2_000).optional().catch(undefined),
  entitlementId: z.string().max(255).optional().catch(undefined),
  entitlementNumber: z.string().max(255).optional().catch(undefined),
  installationId: z.string().max(500).optional().catch(undefined),
});

/**
 * Takes over the tenants of an App that was built with atlassian-connect-express, so that none has to be installed again. Its table may hold
 * a tenant several times (it has no unique index): all their secrets are kept, and the one that the host signs with counts from then on.
 * A tenant that is in the store already is left alone, so it may run again. Cached user tokens (`bearer:…`) are not taken.
 */
export async function importAceSettings({ rows, store, issuers, now = Date.now }: ImportOptions): Promise<ImportReport> {
  const skipped: { clientKey: string | null; key: string | null; why: string }[] = [];
  const mine = new Set<string>();
  const others: AceRow[] = [];
  for await (const row of rows) {
    const { clientKey, key } = row;
    if (key !== 'clientInfo') others.push(row);
    else {
      const why = await importTenant(row, { store, issuers, mine, now: now() });
      if (why !== null) skipped.push({ clientKey, key, why });
    }
  }
  let records = 0;
  for (const { clientKey, key, val } of others) {
    const why = reasonAgainst({ clientKey, key, val }, mine);
    if (why === null && clientKey !== null && key !== null) {
      await store.records(clientKey).put(key, parsedValue(val) as JsonValue);
      records++;
    } else skipped.push({ clientKey, key, why: why ?? 'no key' });
  }
  return { tenants: mine.size, records, skipped };
}

/** The rows of an App's PostgreSQL table, in the order of their ids; 500 at a time. */
export async function* aceSettings(pool: PgQuery, table = 'AddonSettings'): AsyncGenerator<AceRow> {
  if (!/^\w{1,63}$/.test(table)) throw new RangeError('a table name has letters, digits and _');
  let after = 0;
  for (;;) {
    const { rows } = await pool.query(`select id, "clientKey", key, val from "${table}" where id > $1 order by id limit 500`, [after]);
    for (const row of rows) {
      after = Number(row['id']);
      yield { clientKey: row['clientKey'] as string | null, key: row['key'] as string | null, val: row['val'] };
    }
    if (rows.length < 500) return;
  }
}

async function importTenant(
  row: AceRow,
  { store, issuers, mine, now }: { store: TenantStore; issuers: readonly Issuer[]; mine: Set<string>; now: number },
): Promise<string | null> {
  const parsed = clientInfo.safeParse(parsedValue(row.val));
  if (!parsed.success) return `not as expected: ${parsed.error.issues.map(({ path }) => path.join('.')).join(', ')}`;
  const { clientKey, baseUrl: said, sharedSecret, ...details } = parsed.data;
  if (row.clientKey !== clientKey) return 'stored under another clientKey';
  const home = homeOf(issuers, said);
  if (home === null) return 'its base URL is of no issuer';
  let why: string | null = null;
  await store.change(clientKey, (current) => {
    why = null;
    if (current !== null && !mine.has(clientKey)) {
      why = 'there already';
      return null;
    }
    if (current !== null && current.baseUrl !== home.baseUrl) {
      why = 'another base URL than in an earlier row';
      return null;
    }
    // `iat` 0: every signed install is newer than what was copied.
    const call = { clientKey, ...home, sharedSecret: new Secret(sharedSecret), details: defined(details), iat: 0 };
    const known = current?.secrets.some((secret) => secret.sharedSecret.reveal() === sharedSecret) === true;
    const record: TenantRecord | null = known ? current : withInstall(current, call, now);
    return record === null ? null : { ...record, enabled: true };
  });
  if (why === null) mine.add(clientKey);
  return why;
}

function homeOf(issuers: readonly Issuer[], text: string): { readonly issuer: string; readonly baseUrl: string } | null {
  for (const issuer of issuers) {
    try {
      return { issuer: issuer.name, baseUrl: tenantBaseUrl(issuer, text) };
    } catch {
      continue;
    }
  }
  return null;
}

function reasonAgainst({ clientKey, key }: AceRow, mine: ReadonlySet<string>): string | null {
  if (clientKey === null || key === null) return 'of no tenant';
  if (key.startsWith('bearer:')) return 'a cached token';
  return mine.has(clientKey) ? null : 'its tenant was not imported';
}

function parsedValue(val: unknown): unknown {
  if (typeof val !== 'string') return val;
  try {
    return JSON.parse(val);
  } catch {
    return val;
  }
}

/** Without the fields that were not there: `undefined` is no value of theirs. */
function defined<T extends object>(value: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>;
  };
}
