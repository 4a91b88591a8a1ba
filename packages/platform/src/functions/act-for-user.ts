import type { TenantTx } from '@bulkhead/postgres';
import { effectiveScopes } from '@bulkhead/protocol';
import { isEndUser } from '../accounts/index.ts';
import { findInstall } from '../installs/index.ts';
import { functionErrors } from './function-errors.ts';

/**
 * Whether an App may act for an end user here, as it may with a token (docs/decisions/0038): it was granted ACT_AS_USER, and the user has an
 * account. Throws `function.user_not_granted`, `function.user_unknown`.
 */
export async function assertMayActFor(tx: TenantTx, appKey: string, userId: string): Promise<void> {
  const install = await findInstall(tx, tx.applicationId, appKey);
  if (install === null || !effectiveScopes(install.scopes).has('ACT_AS_USER'))
    throw functionErrors('function.user_not_granted', { params: { app_key: appKey } });
  if (!(await isEndUser(tx, tx.applicationId, userId))) throw functionErrors('function.user_unknown', { field: 'end_user' });
}
