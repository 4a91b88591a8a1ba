import { sql, type Tx } from '@bulkhead/postgres';
import { formatHead } from './heads.ts';
import { APPLICATION_LEDGER } from './ledger.ts';
import { NO_SEAL } from './seal-audit.ts';
import { headsOf } from './seal-store.ts';

/** How an Application's log ends, for whoever must tell of it once it is erased. In its tenant transaction. */
export async function auditTail(tx: Tx, applicationId: string): Promise<{ readonly audit_head: string; readonly audit_entries: number }> {
  const head = (await headsOf(tx, APPLICATION_LEDGER, [applicationId])).get(applicationId) ?? NO_SEAL;
  const { entries } = await tx.one<{ entries: number }>(
    sql`select count(*) as entries from audit_entries where application_id = ${applicationId}`,
  );
  return { audit_head: formatHead(head), audit_entries: entries };
}
