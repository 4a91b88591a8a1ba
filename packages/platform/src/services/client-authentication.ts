import * as oauth from 'oauth4webapi';
import type { OAuth2Auth } from './service-definition.ts';
import type { UpstreamService } from './service.ts';
import type { UpstreamServer } from './upstream-server.ts';
import type { UpstreamClient } from './upstream-tokens.ts';

/** The OAuth part of a service. Throws TypeError for one that has none: a fault of ours. */
export function oauth2Of(service: UpstreamService): OAuth2Auth {
  const { auth } = service.definition;
  if (auth.type !== 'oauth2') throw new TypeError(`service ${service.definition.id} has no token endpoint`);
  return auth;
}

/** The server as oauth4webapi wants it. Without an issuer none is compared; the placeholder can be nobody's. */
export function metadataOf(server: UpstreamServer): oauth.AuthorizationServer {
  return {
    issuer: server.issuer ?? 'urn:bulkhead:issuer:unknown',
    authorization_endpoint: server.authorizationEndpoint,
    token_endpoint: server.tokenEndpoint,
    ...(server.revocationEndpoint === null ? {} : { revocation_endpoint: server.revocationEndpoint }),
    authorization_response_iss_parameter_supported: server.issPromised,
    ...(server.idTokenAlgorithms.length === 0 ? {} : { id_token_signing_alg_values_supported: [...server.idTokenAlgorithms] }),
  };
}

function formEncode(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

/**
 * Client authentication (RFC 6749 §2.3.1). Basic encodes as a form does and leaves `-`, `.`, `_` as they are: the same to a
 * server that decodes, and right for the many that do not.
 */
export function clientAuthentication(auth: OAuth2Auth, client: UpstreamClient): oauth.ClientAuth {
  if (client.clientSecret === null || auth.token_endpoint_auth_method === 'none') return oauth.None();
  const secret = client.clientSecret;
  if (auth.token_endpoint_auth_method === 'client_secret_post') return oauth.ClientSecretPost(secret.reveal());
  return (_server, { client_id }, _body, headers) => {
    headers.set('authorization', `Basic ${Buffer.from(`${formEncode(client_id)}:${formEncode(secret.reveal())}`).toString('base64')}`);
  };
}
