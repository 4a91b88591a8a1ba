import type { ApplicationId, Secret } from '@bulkhead/base';
import { type AnyRoute, type Egress, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { childRoutes, flag } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { addWebhook, changeWebhook, deleteWebhook, findWebhook, listWebhooks, rotateWebhookSecret, type Webhook } from './webhook-store.ts';

const events = z
  .array(
    z
      .string()
      .regex(/^[a-z_]+(\.([a-z_]+|\*))?$/, 'expected an event type such as "account.connected"')
      .max(100),
  )
  .max(100);

export const webhookBody = z.strictObject({
  url: z.string().min(1).max(2048),
  format: z.enum(['kloudless', 'standard']).default('standard'),
  events: events.nullable().optional(),
  active: flag.default(true),
});

const webhookChanges = z.strictObject({
  url: z.string().min(1).max(2048).optional(),
  format: z.enum(['kloudless', 'standard']).optional(),
  events: events.nullable().optional(),
  active: flag.optional(),
});

const webhookAnswer = z.object({
  id: z.string(),
  url: z.string(),
  format: z.string(),
  events: z.array(z.string()).nullable(),
  active: z.boolean(),
  secret: z.string().optional().meta({ description: 'Only in the answer that creates or rotates it.' }),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('webhook'),
  api: z.literal('meta'),
  href: z.string(),
});

/** Webhooks as configuration: what a clone carries along. Delivering is `deliveries/`'s. */
export function webhookRoutes({
  db,
  vault,
  egress,
  publicUrl,
}: {
  db: Database;
  vault: Vault;
  egress: Egress;
  publicUrl: () => string;
}): AnyRoute[] {
  const shape = (row: Webhook & { secret?: Secret }, applicationId: ApplicationId) => ({
    id: row.webhookId,
    url: row.url,
    format: row.format,
    events: row.events === null ? null : [...row.events],
    active: row.active,
    ...(row.secret === undefined ? {} : { secret: row.secret.reveal() }),
    created: row.createdAt.toISOString(),
    modified: row.modifiedAt.toISOString(),
    type: 'webhook' as const,
    api: 'meta' as const,
    href: `${publicUrl()}/v1/meta/applications/${applicationId}/webhooks/${row.webhookId}`,
  });
  const one = z.object({ application_id: z.string(), id: z.string().max(100) });
  return [
    ...childRoutes<Webhook & { secret?: Secret }, typeof webhookBody, typeof webhookAnswer>(db, {
      paths: ['webhooks'],
      noun: 'webhook',
      title: 'webhook',
      body: webhookBody,
      answer: webhookAnswer,
      list: listWebhooks,
      find: findWebhook,
      add: async (tx, context, body) => {
        egress.checkUrl(body.url, 'webhook', 'url');
        const { webhook, secret } = await addWebhook(
          tx,
          vault,
          context.applicationId,
          { ...body, events: body.events ?? null },
          context.now,
        );
        return { ...webhook, secret };
      },
      remove: (tx, applicationId, row) => deleteWebhook(tx, applicationId, row.webhookId),
      idOf: (row) => row.webhookId,
      shape,
    }),
    route({
      id: 'webhook.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/webhooks/{id}',
      summary: 'Change a webhook',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webhook.updated',
      params: one,
      body: webhookChanges,
      answers: { 200: webhookAnswer },
      handler: async (context, { params, body }) => {
        if (body.url !== undefined) egress.checkUrl(body.url, 'webhook', 'url');
        const row = await db.withTenant(context.applicationId, async (tx) => {
          const changed = await changeWebhook(tx, context.applicationId, params.id, body, context.now);
          if (changed === null) throw httpErrors('not_found');
          await audit(tx, context, { target: changed.webhookId, detail: { fields: Object.keys(body) } });
          return changed;
        });
        return { status: 200, body: shape(row, context.applicationId) };
      },
    }),
    route({
      id: 'webhook.rotate_secret',
      method: 'POST',
      path: '/v1/meta/applications/{application_id}/webhooks/{id}/rotate_secret',
      summary: 'Give a webhook a new secret',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webhook.secret_rotated',
      params: one,
      answers: { 200: webhookAnswer },
      handler: async (context, { params }) => {
        const rotated = await db.withTenant(context.applicationId, async (tx) => {
          const done = await rotateWebhookSecret(tx, vault, context.applicationId, params.id, context.now);
          if (done === null) throw httpErrors('not_found');
          await audit(tx, context, { target: params.id });
          return done;
        });
        return { status: 200, body: shape({ ...rotated.webhook, secret: rotated.secret }, context.applicationId) };
      },
    }),
  ];
}
