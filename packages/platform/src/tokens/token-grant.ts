import type { Database } from '@bulkhead/postgres';
import type { TokenResponse } from '@bulkhead/protocol';
import type { z } from 'zod';
import type { ClientPrincipal, RequestContext } from '../access/index.ts';
import type { OccasionalTidying } from './delete-expired.ts';
import { parseParameters, type TokenParameters } from './token-parameters.ts';

export type ClientContext = RequestContext<ClientPrincipal>;

export interface GrantParts {
  readonly db: Database;
  readonly publicUrl: () => string;
  readonly tidying: OccasionalTidying;
}

/** One way to a token: what the token endpoint dispatches to by `grant_type`. */
export interface TokenGrant {
  readonly grantType: string;
  readonly issue: (
    parts: GrantParts,
    context: ClientContext,
    parameters: TokenParameters,
    dpopJkt: string | null,
  ) => Promise<TokenResponse>;
}

/** Declares a grant: its parameters are parsed before `issue` sees them. */
export function tokenGrant<Schema extends z.ZodType>(declaration: {
  readonly grantType: string;
  readonly parameters: Schema;
  /** `dpopJkt`: thumbprint of the key that the request proved to hold (RFC 9449 §5); what is issued is bound to it. */
  readonly issue: (parts: GrantParts, context: ClientContext, request: z.output<Schema>, dpopJkt: string | null) => Promise<TokenResponse>;
}): TokenGrant {
  return {
    grantType: declaration.grantType,
    issue: (parts, context, parameters, dpopJkt) =>
      declaration.issue(parts, context, parseParameters(declaration.parameters, parameters), dpopJkt),
  };
}
