import { type ApplicationId, applicationId } from '@bulkhead/base';
import type { AnyRoute, IncomingCall } from '@bulkhead/http';
import { actorOf, type Principal } from '../access/index.ts';
import type { CredentialUse } from '../audit/index.ts';

/** The use of a credential that was good. */
export function acceptedUse(principal: Principal, call: IncomingCall, route: AnyRoute): CredentialUse {
  return {
    log:
      principal.kind === 'meta_token'
        ? { kind: 'organization', id: principal.organizationId }
        : { kind: 'application', id: principal.applicationId },
    outcome: 'used',
    actor: actorOf(principal),
    ...(principal.kind === 'bearer' ? { token: principal.tokenHash.toString('hex', 0, 8) } : {}),
    route: route.id,
    address: call.remoteAddress,
  };
}

/** That of one that was not; null where it names no tenant. */
export function refusedUse(call: IncomingCall, route: AnyRoute): CredentialUse | null {
  const id = namedTenant(call);
  if (id === null) return null;
  const kind = route.credentials.length === 1 && route.credentials[0] === 'client' ? 'client' : 'anonymous';
  return { log: { kind: 'application', id }, outcome: 'refused', actor: { kind }, route: route.id, address: call.remoteAddress };
}

/** The tenant that a credential names in clear, whatever else is wrong with it. Proves nothing. */
function namedTenant(call: IncomingCall): ApplicationId | null {
  const header = call.headers['authorization'];
  const [, scheme = '', value = ''] = (typeof header === 'string' ? /^([A-Za-z]+) +([\x21-\x7E]+)/.exec(header) : null) ?? [];
  // The token of an App names no tenant; the address it was made for does.
  if (scheme.toLowerCase() === 'jwt') return asTenant(call.params['application_id']);
  if (scheme.toLowerCase() === 'basic') return asTenant(Buffer.from(value, 'base64').toString('latin1').split(':')[0]);
  if (scheme !== '') return asTenant(`${applicationId.prefix}${/^bh[a-z]_([0-9A-Za-z]{22,64})_/.exec(value)?.[1] ?? ''}`);
  const form: Readonly<Record<string, unknown>> = call.form ?? {};
  return asTenant(form['client_id'] ?? call.query['client_id']);
}

function asTenant(id: unknown): ApplicationId | null {
  return typeof id === 'string' && applicationId.is(id) ? id : null;
}
