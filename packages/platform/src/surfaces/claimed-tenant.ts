import { applicationId } from '@bulkhead/base';
import type { AnyRoute, IncomingCall } from '@bulkhead/http';

const IN_CREDENTIAL = /bh[a-z]_([0-9A-Za-z]{22,64})_/;
const IN_CLIENT_ID = new RegExp(`^${applicationId.prefix}([0-9A-Za-z]{22,64})(?:$|:)`);

/**
 * Which tenant a request says it comes from, before anything of it is checked: the Application that its credential or its `client_id`
 * names, or its path where it brings no credential (a service's own webhook) or one of an App, which names none, else the network address it came from. Good enough to take turns by, and for nothing else: whoever names another's waits in
 * that one's line.
 */
export function claimedTenant({ headers, params, query, remoteAddress }: IncomingCall): string {
  const header = headers['authorization'];
  const [, scheme = '', value = ''] = typeof header === 'string' ? (/^([A-Za-z]+) +(\S{1,512})/.exec(header) ?? []) : [];
  const credential = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString('latin1') : value;
  const clientId = query['client_id'] ?? (header === undefined || scheme.toLowerCase() === 'jwt' ? params['application_id'] : undefined);
  const named =
    IN_CREDENTIAL.exec(credential) ?? IN_CLIENT_ID.exec(credential) ?? IN_CLIENT_ID.exec(typeof clientId === 'string' ? clientId : '');
  return named?.[1] === undefined ? remoteAddress : `${applicationId.prefix}${named[1]}`;
}

/**
 * Of whose places a request takes one that proves itself by what it holds, a service's message, a call of a web trigger or an App's assertion: of the Application whose
 * address it came to. It is not proved yet, but who floods one address takes the places of that one only. Null for any other request
 * without a credential.
 */
export function partyAtAddress({ params }: Pick<IncomingCall, 'params'>, { rateClass }: Pick<AnyRoute, 'rateClass'>): string | null {
  const named = params['application_id'];
  return (rateClass === 'inbound' || rateClass === 'webtrigger' || rateClass === 'oauth') && named !== undefined && applicationId.is(named)
    ? named
    : null;
}
