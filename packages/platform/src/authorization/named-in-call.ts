import { type ApplicationId, applicationId as applicationIds } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import { parseRequestUri } from './pushed-request-store.ts';
import { transactionCredential } from './transaction-store.ts';

/** What the address of a page names. Nothing is proven by it. */
export type NamedInCall =
  | { readonly kind: 'client'; readonly applicationId: ApplicationId }
  /** A flow by the address of its pages, or by the `state` a service sends back. */
  | { readonly kind: 'flow' | 'state'; readonly applicationId: ApplicationId; readonly hash: Buffer };

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Which Application, and which flow, a call to one of our pages is about, as far as its address tells; null where it names none. */
export function namedInCall({ query, params }: Pick<IncomingCall, 'query' | 'params'>): NamedInCall | null {
  if (params['transaction'] !== undefined) return named('flow', transactionCredential.parse(text(params['transaction'])));
  if (params['callback_id'] !== undefined) return named('state', transactionCredential.parse(text(query['state'])));
  // A page of an App.
  const tenant = text(params['application_id']);
  if (applicationIds.is(tenant)) return { kind: 'client', applicationId: tenant };
  const clientId = text(query['client_id']);
  if (applicationIds.is(clientId)) return { kind: 'client', applicationId: clientId };
  const pushed = parseRequestUri(text(query['request_uri']));
  return pushed === null ? null : { kind: 'client', applicationId: pushed.applicationId };
}

function named(
  kind: 'flow' | 'state',
  parsed: { readonly applicationId: ApplicationId; readonly hash: Buffer } | null,
): NamedInCall | null {
  return parsed === null ? null : { kind, applicationId: parsed.applicationId, hash: parsed.hash };
}
