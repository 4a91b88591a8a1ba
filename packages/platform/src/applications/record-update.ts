import type { Tx } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { appendEvent } from '../events/index.ts';

/** Writes `application.updated` with the names of the settings that were changed, as the event settings are after the change. */
export async function appendUpdated(
  tx: Tx,
  { applicationId, now }: Pick<RequestContext, 'applicationId' | 'now'>,
  fields: readonly string[],
): Promise<void> {
  await appendEvent(tx, { applicationId, accountId: null, type: 'application.updated', at: now, data: { fields: [...fields] } });
}
