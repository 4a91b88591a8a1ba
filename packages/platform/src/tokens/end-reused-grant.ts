import type { Tx } from '@bulkhead/postgres';
import { appendAudit } from '../audit/index.ts';
import { deleteGrant } from './grant-store.ts';
import type { ClientContext } from './token-grant.ts';

/**
 * Ends a grant whose code or refresh token came a second time: one of the two who hold it is a thief, and nobody can say which
 * (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
 */
export async function endReusedGrant(
  tx: Tx,
  context: ClientContext,
  grantId: string,
  reused: 'authorization_code' | 'refresh_token',
): Promise<void> {
  if (!(await deleteGrant(tx, context.applicationId, grantId))) return;
  await appendAudit(tx, {
    applicationId: context.applicationId,
    actor: context.actor,
    action: 'grant.revoke',
    at: context.now,
    requestId: context.requestId,
    target: grantId,
    detail: { reason: 'reuse', reused },
  });
  context.log.warn('grant ended by reuse', { grantId, reused });
}
