import type { AnyRoute } from '@bulkhead/http';
import {
  authorizationServerMetadata,
  introspectionRequest,
  introspectionResponse,
  revocationRequest,
  type TokenInfo,
  tokenInfo,
  tokenParameters,
  tokenResponse,
} from '@bulkhead/protocol';
import { route } from '../access/index.ts';
import { OccasionalTidying } from './delete-expired.ts';
import { introspectToken } from './introspect-token.ts';
import { revokeToken } from './revoke-token.ts';
import { serverMetadata } from './server-metadata.ts';
import { secondsLeft } from './token-credentials.ts';
import { issueToken } from './token-endpoint.ts';
import type { GrantParts } from './token-grant.ts';

/** The back channel of the authorization server: what clients call without a browser. */
export function tokenRoutes(given: Omit<GrantParts, 'tidying'>): AnyRoute[] {
  const parts: GrantParts = { ...given, tidying: new OccasionalTidying(given.db) };
  return [
    route({
      id: 'token.issue',
      method: 'POST',
      path: '/v1/oauth/token',
      summary: 'Redeem an authorization code, refresh, or exchange a token (RFC 6749, RFC 8693)',
      credentials: ['client'],
      scope: null,
      rateClass: 'oauth',
      audit: 'token.issue',
      query: tokenParameters,
      body: tokenParameters,
      bodyForm: 'form-or-json',
      answers: { 200: tokenResponse },
      errors: 'oauth',
      cors: true,
      handler: async (context, { query, body }) => ({
        status: 200,
        body: await issueToken(parts, context, query, body),
        headers: { pragma: 'no-cache' },
      }),
    }),
    route({
      id: 'token.verify',
      method: 'GET',
      path: '/v1/oauth/token',
      summary: 'Verify an access token: which Application and account it is for',
      credentials: ['bearer'],
      scope: null,
      rateClass: 'oauth',
      audit: null,
      answers: { 200: tokenInfo },
      cors: true,
      invalidToken: () => 'token.invalid_at_verify',
      handler: async ({ principal, now }) => {
        const { expiresAt, endUser, dpopJkt, authorizationDetails: details } = principal;
        return {
          status: 200,
          body: {
            client_id: principal.applicationId,
            account_id: principal.accountId,
            scope: principal.scope,
            expires: expiresAt?.toISOString() ?? null,
            ...(expiresAt === null ? {} : { expires_in: secondsLeft(expiresAt, now) }),
            ...(endUser === null ? {} : { end_user: endUser }),
            ...(dpopJkt === null ? {} : { cnf: { jkt: dpopJkt } }),
            ...(details === null ? {} : { authorization_details: details as TokenInfo['authorization_details'] }),
          },
        };
      },
    }),
    route({
      id: 'token.introspect',
      method: 'POST',
      path: '/v1/oauth/introspect',
      summary: 'Introspect an access or refresh token (RFC 7662)',
      credentials: ['client'],
      scope: null,
      rateClass: 'oauth',
      audit: null,
      body: introspectionRequest,
      bodyForm: 'form-or-json',
      answers: { 200: introspectionResponse },
      errors: 'oauth',
      // It changes nothing, and what it says must be true now, not yesterday.
      idempotent: false,
      handler: async (context, { body }) => ({ status: 200, body: await introspectToken(parts, context, body.token) }),
    }),
    route({
      id: 'token.revoke',
      method: 'POST',
      path: '/v1/oauth/revoke',
      summary: 'Revoke an access token, or a refresh token with its whole grant (RFC 7009)',
      credentials: ['client'],
      scope: null,
      rateClass: 'oauth',
      audit: 'token.revoke',
      body: revocationRequest,
      bodyForm: 'form-or-json',
      answers: { 200: null },
      errors: 'oauth',
      cors: true,
      handler: async (context, { body }) => {
        await revokeToken(parts, context, body.token);
        return { status: 200 };
      },
    }),
    route({
      id: 'authorization_server.metadata',
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      summary: 'Authorization server metadata (RFC 8414)',
      credentials: [],
      scope: null,
      rateClass: 'oauth',
      audit: null,
      answers: { 200: authorizationServerMetadata },
      cors: true,
      handler: async () => ({ status: 200, body: serverMetadata(parts.publicUrl()) }),
    }),
  ];
}
