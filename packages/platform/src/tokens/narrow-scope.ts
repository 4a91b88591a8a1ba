import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { findService } from '../applications/index.ts';
import { formatScope, narrows, parseScope, resolveScope } from '../services/index.ts';
import { tokenErrors } from './token-errors.ts';

/**
 * The scope a new token gets: the one wanted, written out for the account's service, if it lies within the one held (RFC 6749 §6,
 * RFC 8693 §2.1); the one held where none is wanted. Every part of what is wanted must fit, else `scope.exceeded`.
 */
export async function narrowScope(
  tx: Tx,
  fields: { applicationId: ApplicationId; service: string; wanted: string | undefined; held: string },
): Promise<string> {
  const { held, wanted } = fields;
  if (wanted === undefined || wanted === held) return held;
  const exceeded = tokenErrors('scope.exceeded', { params: { held: held === '' ? 'nothing' : held }, field: 'scope' });
  const child = parseScope(wanted);
  if (held === '') throw exceeded;
  const found = await findService(tx, fields.applicationId, fields.service);
  if (found === null) {
    if (!narrows(child, parseScope(held))) throw exceeded;
    return formatScope(child);
  }
  const { service } = found;
  if (!child.every((token) => resolveScope(service, [token]).length > 0)) throw exceeded;
  const concrete = resolveScope(service, child);
  if (!narrows(concrete, parseScope(held)) && !narrows(concrete, resolveScope(service, parseScope(held)))) throw exceeded;
  return formatScope(concrete);
}
