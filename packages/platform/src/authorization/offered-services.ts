import type { Tx } from '@bulkhead/postgres';
import { findAccount } from '../accounts/index.ts';
import { type ApplicationSettings, type ConnectableService, listConnectableServices } from '../applications/index.ts';
import { matchServices, parseScope } from '../services/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import { diesWithCredential } from './identity-instead.ts';

/**
 * The services a request may be answered with: those its scope fits; when an account is connected anew, its own.
 * @throws scope.invalid, authorization.no_service, authorization.unknown_account, authorization.identity_untold
 */
export async function offeredServices(
  tx: Tx,
  { applicationId }: ApplicationSettings,
  request: AuthorizationRequest,
): Promise<readonly ConnectableService[]> {
  const scope = parseScope(request.scope);
  const account = request.reconnectAccountId === null ? null : await findAccount(tx, applicationId, request.reconnectAccountId);
  if (account === null && request.reconnectAccountId !== null)
    throw authorizationErrors('authorization.unknown_account', { field: 'account_id' });
  if (account !== null && diesWithCredential(account.identityId))
    throw authorizationErrors('authorization.identity_untold', { params: { id: String(account.accountId) }, field: 'account_id' });
  const connectable = await listConnectableServices(tx, applicationId);
  const fitting = new Set(
    matchServices(
      scope,
      connectable.map(({ service }) => service),
    ),
  );
  const offered = connectable.filter(
    ({ service }) => fitting.has(service) && (account === null || account.service === service.definition.id),
  );
  if (offered.length === 0) {
    // Quoted in a page and in a header, so only what the grammar knows.
    const shown = request.scope.replaceAll(/[^A-Za-z0-9_.:/ -]/g, '?').slice(0, 100);
    throw authorizationErrors('authorization.no_service', { params: { scope: shown }, field: 'scope' });
  }
  return offered;
}
