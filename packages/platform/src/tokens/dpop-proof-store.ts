import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';

const ROWS_MAX = 50;

/**
 * Spends a proof (RFC 9449 §11.1): true for one caller, false for every other, on however many processes. Clears some away that nobody
 * would accept any more.
 */
export async function spendDpopProof(
  tx: Tx,
  proof: { readonly applicationId: ApplicationId; readonly hash: Buffer; readonly expiresAt: Date; readonly now: Date },
): Promise<boolean> {
  const { applicationId, now } = proof;
  const [inserted] = await Promise.all([
    tx.execute(sql`
      insert into dpop_proofs (application_id, proof_hash, expires_at) values (${applicationId}, ${proof.hash}, ${proof.expiresAt})
      on conflict do nothing`),
    tx.execute(sql`
      delete from dpop_proofs
       where application_id = ${applicationId} and proof_hash in (
         select proof_hash from dpop_proofs where application_id = ${applicationId} and expires_at < ${now}
          limit ${ROWS_MAX} for update skip locked)`),
  ]);
  return inserted === 1;
}
