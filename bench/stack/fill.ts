import { type ApplicationId, applicationId } from '@bulkhead/base';
import pg from 'pg';
import type { DatabaseUrls } from './cluster.ts';

/** A connection past every door, without triggers and foreign keys: to fill large tables with rows as the product writes them. */
export async function filler(urls: DatabaseUrls): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: urls.adminUrl });
  await client.connect();
  await client.query('set session_replication_role = replica');
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Ids as the product makes them. */
export function applicationIdList(count: number): ApplicationId[] {
  return Array.from({ length: count }, () => applicationId.generate());
}

/** Bare Applications of an organization. */
export async function insertApplications(client: pg.Client, organizationId: string, ids: readonly ApplicationId[]): Promise<void> {
  await client.query(
    `insert into applications (application_id, organization_id, name)
     select id, $2, 'Customer ' || row_number() over () from unnest($1::text[]) id`,
    [ids, organizationId],
  );
}

/** Accounts 1 to `each` of every Application, without a credential. */
export async function insertAccounts(client: pg.Client, ids: readonly ApplicationId[], each: number): Promise<void> {
  await client.query(
    `insert into accounts (application_id, account_id, service, account, identity_id, effective_scope)
     select id, n, 'files', 'user-' || n || '@customer.example', 'identity-' || n, 'files:normal.raw.default:kloudless'
       from unnest($1::text[]) id, generate_series(1, $2::int) n`,
    [ids, each],
  );
}
