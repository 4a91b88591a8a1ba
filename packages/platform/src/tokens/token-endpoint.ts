import { httpErrors } from '@bulkhead/http';
import type { TokenResponse } from '@bulkhead/protocol';
import { provenKey } from './proven-key.ts';
import { authorizationCodeGrant } from './grants/authorization-code.ts';
import { refreshTokenGrant } from './grants/refresh-token.ts';
import { tokenExchangeGrant } from './grants/token-exchange.ts';
import { tokenErrors } from './token-errors.ts';
import type { ClientContext, GrantParts, TokenGrant } from './token-grant.ts';
import { mergeParameters } from './token-parameters.ts';

const grants: ReadonlyMap<unknown, TokenGrant> = new Map(
  [authorizationCodeGrant, refreshTokenGrant, tokenExchangeGrant].map((grant) => [grant.grantType, grant]),
);

/** RFC 6749 §3.2: the grant is chosen by `grant_type`, and does the rest. A DPoP proof is judged and spent before (RFC 9449 §5). */
export async function issueToken(
  parts: GrantParts,
  context: ClientContext,
  query: Readonly<Record<string, unknown>>,
  body: Readonly<Record<string, unknown>>,
): Promise<TokenResponse> {
  const parameters = mergeParameters(query, body);
  if (parameters['grant_type'] === undefined)
    throw httpErrors('request.invalid', { params: { problem: '"grant_type": it is missing.' }, field: 'grant_type' });
  const grant = grants.get(parameters['grant_type']);
  if (grant === undefined) throw tokenErrors('grant.unsupported_type', { field: 'grant_type' });
  return grant.issue(parts, context, parameters, await provenKey(parts, context));
}
