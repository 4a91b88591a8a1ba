import { AUTHORIZATION_CODE, type AuthorizationServerMetadata, DPOP_ALGORITHMS, REFRESH_TOKEN, TOKEN_EXCHANGE } from '@bulkhead/protocol';

/** RFC 8414 §2. The issuer is the configured public URL, never a `Host` header. */
export function serverMetadata(issuer: string): AuthorizationServerMetadata {
  const oauth = `${issuer}/v1/oauth`;
  return {
    issuer,
    authorization_endpoint: oauth,
    token_endpoint: `${oauth}/token`,
    pushed_authorization_request_endpoint: `${oauth}/par`,
    introspection_endpoint: `${oauth}/introspect`,
    revocation_endpoint: `${oauth}/revoke`,
    response_types_supported: ['code', 'token'],
    response_modes_supported: ['query', 'fragment'],
    grant_types_supported: [AUTHORIZATION_CODE, 'implicit', REFRESH_TOKEN, TOKEN_EXCHANGE],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    authorization_details_types_supported: ['passthrough'],
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    authorization_response_iss_parameter_supported: true,
    require_pushed_authorization_requests: false,
  };
}
