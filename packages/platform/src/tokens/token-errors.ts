import { defineErrors } from '@bulkhead/base';

export const tokenErrors = defineErrors({
  'grant.unsupported_type': {
    status: 400,
    wire: 'bad_request',
    oauth: 'unsupported_grant_type',
    text: 'The grant_type must be authorization_code, refresh_token or urn:ietf:params:oauth:grant-type:token-exchange.',
  },
  /** RFC 6749 §5.2. One text for every reason: which one it was is for our log. */
  'grant.invalid': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_grant',
    text: 'The authorization code or refresh token is unknown, expired, used or revoked, or does not belong to this request (client, redirect_uri, code_verifier, end_user).',
  },
  /** RFC 9449 §5. The proof is the caller's own, so it may be told what is wrong with it. */
  'dpop.proof_refused': { status: 400, wire: 'bad_request', oauth: 'invalid_dpop_proof', text: 'The DPoP proof is refused: {problem}.' },
  /** RFC 9449 §7.1. */
  'dpop.proof_refused_at_resource': {
    status: 401,
    wire: 'invalid_token',
    oauth: 'invalid_dpop_proof',
    text: 'The DPoP proof is refused: {problem}.',
  },
  'scope.exceeded': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_scope',
    text: 'The scope asks for more than is held: {held}.',
  },
  'parameter.repeated': { status: 400, wire: 'invalid_parameters', oauth: 'invalid_request', text: 'Send "{name}" once.' },
  /** RFC 8693 §2.2.2: a subject token that is invalid for any reason is an invalid request. */
  'exchange.subject_invalid': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: 'The subject_token is unknown, expired or revoked, or belongs to another client.',
  },
  'exchange.token_type': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: 'Token type not supported. Exchange {known} for an access token.',
  },
  'exchange.actor': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: 'Delegation is not supported: leave out actor_token and actor_token_type.',
  },
  'exchange.target': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_target',
    text: 'Tokens are for {issuer} only: leave out resource and audience.',
  },
  'exchange.account': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: 'Name an account_id that the subject_token reaches.',
  },
  'exchange.too_deep': {
    status: 400,
    wire: 'bad_request',
    oauth: 'invalid_request',
    text: 'This token is the last of a chain of {limit} exchanges. Exchange one nearer to the start.',
  },
  'authorization_details.invalid': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_authorization_details',
    text: 'The authorization_details cannot be used: {problem}.',
  },
  'authorization_details.exceeded': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_authorization_details',
    text: 'The authorization_details allow more than the subject_token does. Repeat each of its limits, or narrow it.',
  },
});
