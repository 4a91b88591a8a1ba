import { applicationId as applicationIds, PlatformError } from '@bulkhead/base';
import { type AnyRoute, httpErrors } from '@bulkhead/http';
import { JWT_BEARER, userTokenRequest, userTokenResponse } from '@bulkhead/protocol';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { CredentialUse } from '../audit/index.ts';
import { installErrors } from './install-errors.ts';
import { issueUserToken, type UserTokenParts } from './issue-user-token.ts';

const id = 'user_token.issue';

/** The authorization server of a tenant, for Apps that are installed there. */
export function userTokenRoutes(parts: UserTokenParts & { readonly recordUse: (use: CredentialUse) => void }): AnyRoute[] {
  return [
    route({
      id,
      method: 'POST',
      path: '/t/{application_id}/oauth2/token',
      summary: 'Exchange an assertion of an App for a token by which it acts for a user (RFC 7523, impersonation of Atlassian Connect)',
      // The assertion is the credential, in the body.
      credentials: [],
      scope: null,
      rateClass: 'oauth',
      audit: 'user_token.issued',
      bodyForm: 'form-or-json',
      // An assertion counts once; an answer that was lost is asked for anew.
      idempotent: false,
      errors: 'oauth',
      params: z.object({ application_id: z.string() }),
      body: userTokenRequest,
      answers: { 200: userTokenResponse },
      handler: async (context, { params: { application_id: named }, body }) => {
        if (body.grant_type === undefined) throw missing('grant_type');
        if (body.grant_type !== JWT_BEARER) throw installErrors('impersonation.unsupported_type', { field: 'grant_type' });
        if (body.assertion === undefined || body.assertion === '') throw missing('assertion');
        if (!applicationIds.is(named)) throw installErrors('impersonation.assertion_invalid');
        try {
          const answer = await issueUserToken(parts, context, { applicationId: named, assertion: body.assertion, scope: body.scope });
          return { status: 200, body: answer, headers: { pragma: 'no-cache' } };
        } catch (thrown) {
          if (thrown instanceof PlatformError && thrown.status < 500)
            parts.recordUse({
              log: { kind: 'application', id: named },
              outcome: 'refused',
              actor: { kind: 'anonymous' },
              route: id,
              address: context.call.remoteAddress,
            });
          throw thrown;
        }
      },
    }),
  ];
}

function missing(name: string): Error {
  return httpErrors('request.invalid', { params: { problem: `"${name}": it is missing.` }, field: name });
}
