import { type ApplicationId, Secret } from '@bulkhead/base';
import { type AnyRoute, type Egress, httpErrors } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { type ApiKey, deleteApiKey, findApiKey, issueApiKey, listApiKeys } from './api-key-store.ts';
import { applicationErrors } from './application-errors.ts';
import {
  apiKeyAnswer,
  oauthKeyAnswer,
  oauthKeyBody,
  oauthKeyChanges,
  redirectUriAnswer,
  redirectUriBody,
  trustedDomainAnswer,
  trustedDomainBody,
} from './application-messages.ts';
import { childRoutes } from './child-routes.ts';
import { findService } from './connectable-service.ts';
import { customServiceRoutes } from './custom-service-routes.ts';
import { addOAuthKey, changeOAuthKey, deleteOAuthKey, findOAuthKey, listOAuthKeys, type OAuthKey } from './oauth-key-store.ts';
import { addRedirectUri, deleteRedirectUri, findRedirectUri, listRedirectUris } from './redirect-uri-store.ts';
import { addTrustedDomain, deleteTrustedDomain, findTrustedDomain, listTrustedDomains } from './trusted-domain-store.ts';
import { appendUpdated } from './record-update.ts';

export interface ChildrenParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly egress: Egress;
  readonly publicUrl: () => string;
}

/** Everything that hangs below an Application and belongs to this slice. */
export function applicationChildRoutes({ db, vault, egress, publicUrl }: ChildrenParts): AnyRoute[] {
  const href = (applicationId: ApplicationId, path: string) => `${publicUrl()}/v1/meta/applications/${applicationId}/${path}`;
  return [
    ...childRoutes<ApiKey & { secret?: Secret }, z.ZodObject, typeof apiKeyAnswer>(db, {
      paths: ['apikeys'],
      noun: 'apikey',
      title: 'API key',
      body: z.strictObject({}),
      answer: apiKeyAnswer,
      list: listApiKeys,
      find: findApiKey,
      add: async (tx, context) => {
        const { apiKey, secret } = await issueApiKey(tx, context.applicationId, context.now);
        return { ...apiKey, secret };
      },
      remove: (tx, applicationId, row) => deleteApiKey(tx, applicationId, row.apiKeyId),
      idOf: (row) => row.apiKeyId,
      shape: (row, applicationId) => ({
        id: row.apiKeyId,
        key: row.secret?.reveal() ?? row.shortened,
        created: row.createdAt.toISOString(),
        modified: row.createdAt.toISOString(),
        last_used: row.lastUsedAt?.toISOString() ?? null,
        type: 'apikey',
        api: 'meta',
        href: href(applicationId, `apikeys/${row.apiKeyId}`),
      }),
    }),
    ...childRoutes(db, {
      paths: ['redirect_uris'],
      noun: 'redirect_uri',
      title: 'redirect URI',
      body: redirectUriBody,
      answer: redirectUriAnswer,
      list: listRedirectUris,
      find: findRedirectUri,
      add: (tx, context, body) => addRedirectUri(tx, context.applicationId, body.url, context.now),
      remove: (tx, applicationId, row) => deleteRedirectUri(tx, applicationId, row.redirectUriId),
      idOf: (row) => row.redirectUriId,
      shape: (row, applicationId) => ({
        id: row.redirectUriId,
        url: row.url,
        created: row.createdAt.toISOString(),
        modified: row.createdAt.toISOString(),
        type: 'redirect_uri' as const,
        api: 'meta' as const,
        href: href(applicationId, `redirect_uris/${row.redirectUriId}`),
      }),
    }),
    ...childRoutes(db, {
      paths: ['trusted_domains'],
      noun: 'trusted_domain',
      title: 'trusted domain',
      body: trustedDomainBody,
      answer: trustedDomainAnswer,
      list: listTrustedDomains,
      find: findTrustedDomain,
      add: (tx, context, body) => addTrustedDomain(tx, context.applicationId, body.domain, context.now),
      remove: (tx, applicationId, row) => deleteTrustedDomain(tx, applicationId, row.trustedDomainId),
      idOf: (row) => row.trustedDomainId,
      shape: (row, applicationId) => ({
        id: row.trustedDomainId,
        domain: row.domain,
        created: row.createdAt.toISOString(),
        modified: row.createdAt.toISOString(),
        type: 'trusted_domain' as const,
        api: 'meta' as const,
        href: href(applicationId, `trusted_domains/${row.trustedDomainId}`),
      }),
    }),
    ...oauthKeyRoutes({ db, vault, egress, publicUrl }),
    ...customServiceRoutes({ db, egress, publicUrl }),
  ];
}

type OAuthKeyWithCallback = OAuthKey & { readonly callbackId: string };

function oauthKeyRoutes({ db, vault, publicUrl }: ChildrenParts): AnyRoute[] {
  const withCallback = async (tx: Tx, applicationId: ApplicationId, key: OAuthKey): Promise<OAuthKeyWithCallback> => {
    const found = await findService(tx, applicationId, key.service);
    return { ...key, callbackId: found?.callbackId ?? key.service };
  };
  const shape = (row: OAuthKeyWithCallback, applicationId: ApplicationId): z.input<typeof oauthKeyAnswer> => ({
    id: row.oauthKeyId,
    service: row.service,
    client_id: row.clientId,
    scopes: row.scopes === null ? null : [...row.scopes],
    callback_url: `${publicUrl()}/v1/oauth/callback/${row.callbackId}`,
    created: row.createdAt.toISOString(),
    modified: row.modifiedAt.toISOString(),
    type: 'service_key',
    api: 'meta',
    href: `${publicUrl()}/v1/meta/applications/${applicationId}/oauth_keys/${row.oauthKeyId}`,
  });
  return [
    ...childRoutes(db, {
      paths: ['oauth_keys', 'service_keys'],
      noun: 'oauth_key',
      title: 'OAuth key',
      body: oauthKeyBody,
      answer: oauthKeyAnswer,
      list: async (tx, applicationId, page) => {
        const { rows, total } = await listOAuthKeys(tx, applicationId, page);
        return { rows: await Promise.all(rows.map((row) => withCallback(tx, applicationId, row))), total };
      },
      find: async (tx, applicationId, id) => {
        const key = await findOAuthKey(tx, applicationId, id);
        return key === null ? null : withCallback(tx, applicationId, key);
      },
      add: async (tx, context, body) => {
        await requireOAuthService(tx, context.applicationId, body.service);
        const clientSecret = body.client_secret === undefined ? null : new Secret(body.client_secret);
        const added = await addOAuthKey(
          tx,
          vault,
          context.applicationId,
          { service: body.service, clientId: body.client_id, clientSecret, scopes: body.scopes ?? null },
          context.now,
        );
        return withCallback(tx, context.applicationId, added);
      },
      remove: (tx, applicationId, row) => deleteOAuthKey(tx, applicationId, row.oauthKeyId),
      idOf: (row) => row.oauthKeyId,
      shape,
    }),
    route({
      id: 'oauth_key.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/oauth_keys/{id}',
      summary: 'Change an OAuth key, for instance its secret',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'oauth_key.updated',
      params: z.object({ application_id: z.string(), id: z.string().max(512) }),
      body: oauthKeyChanges,
      answers: { 200: oauthKeyAnswer },
      handler: async (context, { params, body }) => {
        const row = await db.withTenant(context.applicationId, async (tx) => {
          const clientSecret = body.client_secret === undefined ? undefined : new Secret(body.client_secret);
          const changed = await changeOAuthKey(
            tx,
            vault,
            context.applicationId,
            params.id,
            { clientId: body.client_id, clientSecret, scopes: body.scopes },
            context.now,
          );
          if (changed === null) throw httpErrors('not_found');
          await audit(tx, context, { target: changed.oauthKeyId, detail: { fields: Object.keys(body) } });
          await appendUpdated(tx, context, ['oauth_keys']);
          return withCallback(tx, context.applicationId, changed);
        });
        return { status: 200, body: shape(row, context.applicationId) };
      },
    }),
  ];
}

/** An OAuth key hangs from a service that exists here and is connected by OAuth. */
export async function requireOAuthService(tx: Tx, applicationId: ApplicationId, service: string): Promise<void> {
  const found = await findService(tx, applicationId, service);
  if (found === null) throw applicationErrors('oauth_key.unknown_service', { params: { service }, field: 'service' });
  if (found.service.definition.auth.type !== 'oauth2')
    throw applicationErrors('oauth_key.not_oauth', { params: { service }, field: 'service' });
}
