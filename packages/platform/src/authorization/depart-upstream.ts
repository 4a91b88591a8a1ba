import { type ApplicationId, sha256 } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { type ConnectableService, openOAuthKey } from '../applications/index.ts';
import { buildAuthorizationUrl, createPkce, endpointsFingerprint, nonceFor, parseScope, upstreamScopes } from '../services/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import { type FlowParts, upstreamCall } from './flow.ts';
import { departUpstream as recordDeparture, transactionCredential } from './transaction-store.ts';

/** Where a service's answers arrive: a path of its own per authorization server (RFC 9700 §4.4.2). */
export function callbackUrl(publicUrl: string, callbackId: string): string {
  return `${publicUrl}/v1/oauth/callback/${encodeURIComponent(callbackId)}`;
}

/**
 * What must be the same when the answer comes as it was when the browser left: service, endpoints, callback, key and client. Recomputed
 * from the settings of that moment and compared.
 */
export function endpointsDigest(
  { service, callbackId }: ConnectableService,
  key: { readonly oauthKeyId: string; readonly clientId: string },
): Buffer {
  const { definition } = service;
  return sha256(JSON.stringify([definition.id, endpointsFingerprint(definition), callbackId, key.oauthKeyId, key.clientId]));
}

interface Departure {
  readonly flow: { readonly applicationId: ApplicationId; readonly transactionHash: Buffer };
  readonly request: AuthorizationRequest;
  readonly connectable: ConnectableService;
  readonly now: Date;
}

/**
 * Prepares the way to an OAuth service: discovery (no database connection is held meanwhile), fresh `state` and PKCE, the record of what
 * was asked. Answers the address to send the browser to.
 * @throws upstream.* where the service's metadata cannot be had; authorization.flow_unknown where the flow is over.
 */
export async function departUpstream(options: FlowParts, { flow, request, connectable, now }: Departure): Promise<string> {
  const { service, callbackId } = connectable;
  const { applicationId } = flow;
  const key = await options.db.withTenant(applicationId, (tx: Tx) => openOAuthKey(tx, options.vault, applicationId, service.definition.id));
  if (key === null) throw authorizationErrors('authorization.service_changed', { detail: 'no OAuth key' });
  const server = await options.servers.find(applicationId, service, upstreamCall(options, applicationId));
  const { codeVerifier, codeChallenge } = await createPkce();
  const state = transactionCredential.issue(applicationId);
  const redirectUri = callbackUrl(options.publicUrl(), callbackId);
  const requestedScopes = upstreamScopes(service, parseScope(request.scope), key.scopes ?? []);
  const leg = {
    service: service.definition.id,
    oauthKeyId: key.oauthKeyId,
    callbackId,
    endpointsDigest: endpointsDigest(connectable, key),
    server,
    redirectUri,
    requestedScopes,
    stateHash: state.hash,
    codeVerifier,
  };
  if (!(await options.db.withTenant(applicationId, (tx) => recordDeparture(tx, options.vault, flow, leg, now))))
    throw authorizationErrors('authorization.flow_unknown');
  return buildAuthorizationUrl({
    service,
    server,
    client: key,
    redirectUri,
    state: state.secret.reveal(),
    codeChallenge,
    nonce: nonceFor(service, codeVerifier),
    scopes: requestedScopes,
    extraParams: { ...(request.accountHint === null ? {} : { login_hint: request.accountHint }), ...request.rawParameters },
  });
}
