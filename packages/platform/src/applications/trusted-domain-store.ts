import type { ApplicationId } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { isUniqueViolation, sql, type Tx } from '@bulkhead/postgres';
import { CHILDREN_MAX, trustedDomainId } from './application.ts';
import { applicationErrors } from './application-errors.ts';
import { checkTrustedDomain, originIsOf } from './trusted-domain.ts';

export interface TrustedDomain {
  readonly trustedDomainId: string;
  readonly domain: string;
  readonly createdAt: Date;
}

interface TrustedDomainRow {
  trusted_domain_id: string;
  domain: string;
  created_at: Date;
}

function trustedDomain(row: TrustedDomainRow): TrustedDomain {
  return { trustedDomainId: row.trusted_domain_id, domain: row.domain, createdAt: row.created_at };
}

export async function addTrustedDomain(tx: Tx, applicationId: ApplicationId, domain: string, now: Date): Promise<TrustedDomain> {
  const checked = checkTrustedDomain(domain);
  const { held } = await tx.one<{ held: number }>(
    sql`select count(*) as held from trusted_domains where application_id = ${applicationId}`,
  );
  if (held >= CHILDREN_MAX.trustedDomains)
    throw applicationErrors('limit.reached', { params: { limit: CHILDREN_MAX.trustedDomains, things: 'trusted domains' } });
  try {
    return trustedDomain(
      await tx.one<TrustedDomainRow>(sql`
        insert into trusted_domains (application_id, trusted_domain_id, domain, created_at)
        values (${applicationId}, ${trustedDomainId.generate()}, ${checked}, ${now}) returning *`),
    );
  } catch (thrown) {
    throw isUniqueViolation(thrown) ? applicationErrors('trusted_domain.exists', { field: 'domain' }) : thrown;
  }
}

export async function listTrustedDomains(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<TrustedDomain>> {
  const { total } = await tx.one<{ total: number }>(
    sql`select count(*) as total from trusted_domains where application_id = ${applicationId}`,
  );
  const rows = await tx.query<TrustedDomainRow>(sql`
    select * from trusted_domains where application_id = ${applicationId} order by created_at, trusted_domain_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(trustedDomain), total };
}

export async function findTrustedDomain(tx: Tx, applicationId: ApplicationId, id: string): Promise<TrustedDomain | null> {
  const row = await tx.maybe<TrustedDomainRow>(
    sql`select * from trusted_domains where application_id = ${applicationId} and trusted_domain_id = ${id}`,
  );
  return row === null ? null : trustedDomain(row);
}

export async function deleteTrustedDomain(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from trusted_domains where application_id = ${applicationId} and trusted_domain_id = ${id}`)) === 1;
}

/** Whether a browser origin may receive a token of this Application. */
export async function isTrustedOrigin(tx: Tx, applicationId: ApplicationId, origin: string): Promise<boolean> {
  const rows = await tx.query<{ domain: string }>(sql`select domain from trusted_domains where application_id = ${applicationId}`);
  return rows.some((row) => originIsOf(row.domain, origin));
}

export async function cloneTrustedDomains(tx: Tx, { from, to, now }: { from: ApplicationId; to: ApplicationId; now: Date }): Promise<void> {
  await tx.execute(sql`
    insert into trusted_domains (application_id, trusted_domain_id, domain, created_at)
    select ${to}, 'tdom' || translate(encode(sha256(convert_to(${to} || trusted_domain_id, 'UTF8')), 'base64'), '+/=' || chr(10), '012'), domain, ${now}
      from trusted_domains where application_id = ${from}`);
}

/** Removes the named domains, those that are there. */
export async function removeTrustedDomains(tx: Tx, applicationId: ApplicationId, domains: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from trusted_domains where application_id = ${applicationId} and domain = any(${domains})`);
}
