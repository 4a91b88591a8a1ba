import type { ApplicationId } from '@bulkhead/base';
import { type AnyRoute, type Egress, httpErrors, objectList } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { appendUpdated } from './record-update.ts';
import { catalogueEntries, parseServiceDefinition, type ServiceDefinition, serviceDefinitionSchema } from '../services/index.ts';
import { childRoutes } from './child-routes.ts';
import {
  addCustomService,
  type CustomService,
  deleteCustomService,
  findCustomService,
  listCustomServices,
  replaceCustomService,
} from './custom-service-store.ts';

const customServiceAnswer = z.looseObject({
  id: z.string(),
  friendly_name: z.string(),
  callback_url: z.string(),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('service'),
  api: z.literal('meta'),
  href: z.string(),
});

const catalogueServiceAnswer = z.object({
  id: z.string(),
  name: z.string(),
  friendly_name: z.string(),
  logo_url: z.string().nullable(),
  category: z.string(),
  apis: z.array(z.string()),
  auth: z.object({ type: z.string() }),
  documentation_url: z.string(),
  checked: z.string(),
  checked_against: z.array(z.string()),
  callback_url: z.string(),
  type: z.literal('service'),
  api: z.literal('meta'),
});

/** Custom services of an Application, and the catalogue that everyone has. */
export function customServiceRoutes({ db, egress, publicUrl }: { db: Database; egress: Egress; publicUrl: () => string }): AnyRoute[] {
  const callbackUrl = (callbackId: string) => `${publicUrl()}/v1/oauth/callback/${callbackId}`;
  const shape = (row: CustomService, applicationId: ApplicationId): z.input<typeof customServiceAnswer> => ({
    ...row.definition,
    callback_url: callbackUrl(row.callbackId),
    created: row.createdAt.toISOString(),
    modified: row.modifiedAt.toISOString(),
    type: 'service',
    api: 'meta',
    href: `${publicUrl()}/v1/meta/applications/${applicationId}/services/${row.definition.id}`,
  });
  return [
    ...childRoutes(db, {
      paths: ['services'],
      noun: 'service',
      title: 'custom service',
      body: serviceDefinitionSchema,
      answer: customServiceAnswer,
      list: listCustomServices,
      find: findCustomService,
      add: (tx, context, body) => {
        checkAddresses(egress, body);
        return addCustomService(tx, context.applicationId, body, context.now);
      },
      remove: (tx, applicationId, row) => deleteCustomService(tx, applicationId, row.definition.id),
      idOf: (row) => row.definition.id,
      shape,
    }),
    route({
      id: 'service.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/services/{id}',
      summary: 'Change a custom service; new endpoints bring a new callback URL',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'service.updated',
      params: z.object({ application_id: z.string(), id: z.string().max(63) }),
      body: z.record(z.string(), z.unknown()),
      answers: { 200: customServiceAnswer },
      handler: async (context, { params, body }) => {
        const row = await db.withTenant(context.applicationId, async (tx) => {
          const before = await findCustomService(tx, context.applicationId, params.id);
          if (before === null) throw httpErrors('not_found');
          const definition = parseServiceDefinition({ ...before.definition, ...body, id: before.definition.id });
          checkAddresses(egress, definition);
          const changed = await replaceCustomService(tx, context.applicationId, before, definition, context.now);
          await audit(tx, context, {
            target: definition.id,
            detail: { fields: Object.keys(body).slice(0, 50), callbackReplaced: changed.callbackId !== before.callbackId },
          });
          await appendUpdated(tx, context, ['services']);
          return changed;
        });
        return { status: 200, body: shape(row, context.applicationId) };
      },
    }),
    route({
      id: 'catalogue.list',
      method: 'GET',
      path: '/v1/meta/services',
      summary: 'List the services that every Application may use',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      answers: { 200: objectList(catalogueServiceAnswer) },
      handler: async () => ({
        status: 200,
        body: {
          total: catalogueEntries.length,
          count: catalogueEntries.length,
          page: 1,
          next_page: null,
          objects: catalogueEntries.map((entry) => ({
            id: entry.definition.id,
            name: entry.definition.id,
            friendly_name: entry.definition.friendly_name,
            logo_url: entry.definition.logo_url ?? null,
            category: entry.category,
            apis: entry.definition.apis,
            auth: { type: entry.definition.auth.type },
            documentation_url: entry.documentation,
            checked: entry.checked,
            checked_against: [...entry.checkedAgainst],
            callback_url: callbackUrl(entry.definition.id),
            type: 'service',
            api: 'meta',
          })),
          type: 'object_list',
          api: 'meta',
        },
      }),
    }),
  ];
}

/** Every address in the definition must be one that the network door would go to in principle. */
function checkAddresses(egress: Egress, definition: ServiceDefinition): void {
  egress.checkUrl(definition.api.base_url, 'upstream', 'api.base_url');
  if (definition.identity?.url?.startsWith('http')) egress.checkUrl(definition.identity.url, 'upstream', 'identity.url');
  if (definition.auth.type !== 'oauth2') return;
  for (const field of ['issuer', 'authorization_endpoint', 'token_endpoint', 'revocation_endpoint'] as const) {
    const url = definition.auth[field];
    if (url !== undefined) egress.checkUrl(url, 'upstream', `auth.${field}`);
  }
}
