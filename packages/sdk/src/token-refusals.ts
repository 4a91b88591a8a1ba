import { defineErrors } from '@bulkhead/base';

const refusals = {
  'token.refused': { status: 401, wire: 'invalid_token', text: 'The token is unknown, expired or revoked.' },
  'token.of_another_application': { status: 401, wire: 'invalid_token', text: 'The token was issued to another Application.' },
  'token.of_another_account': { status: 401, wire: 'invalid_token', text: 'The token is for another account.' },
  'token.of_another_end_user': { status: 401, wire: 'invalid_token', text: 'The token is for another end user.' },
  'token.scope_missing': { status: 403, wire: 'forbidden', text: 'The token does not include {scope}.' },
  'token.unverified': { status: 502, wire: 'bad_gateway', text: 'The token could not be verified: {problem}.' },
} as const;

/** Why a token was not accepted. Branch on it: `error.code`. */
export type TokenRefusal = keyof typeof refusals;

export const tokenRefusals = defineErrors<TokenRefusal>(refusals);
