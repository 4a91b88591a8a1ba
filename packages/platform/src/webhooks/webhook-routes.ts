import type { ApplicationId } from '@bulkhead/base';
import { type AnyRoute, type Egress, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { appendUpdated, childRoutes, flag } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { findShownWebhook, listShownWebhooks, type ShownWebhook, webhookAnswer, webhookShape } from './webhook-shape.ts';
import { addWebhook, changeWebhook, deleteWebhook, resumeWebhook, rotateWebhookSecret } from './webhook-store.ts';

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

const rotation = z.strictObject({
  overlap_seconds: z
    .number()
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400)
    .meta({ description: 'How long the secret before signs too. 0: it has leaked, and ends now.' }),
});

/** Webhooks as configuration: what a clone carries along. What is sent to them has routes of its own. */
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
  const shape = (row: ShownWebhook, applicationId: ApplicationId) => webhookShape(row, applicationId, publicUrl());
  const one = z.object({ application_id: z.string(), id: z.string().max(100) });
  return [
    ...childRoutes<ShownWebhook, typeof webhookBody, typeof webhookAnswer>(db, {
      paths: ['webhooks'],
      noun: 'webhook',
      title: 'webhook',
      body: webhookBody,
      answer: webhookAnswer,
      list: listShownWebhooks,
      find: findShownWebhook,
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
          await appendUpdated(tx, context, ['webhooks']);
          if (body.active === true || body.url !== undefined) await resumeWebhook(tx, context.applicationId, params.id, context.now);
          return (await findShownWebhook(tx, context.applicationId, params.id)) ?? changed;
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
      body: rotation,
      answers: { 200: webhookAnswer },
      handler: async (context, { params, body }) => {
        const { applicationId, now } = context;
        const rotated = await db.withTenant(applicationId, async (tx) => {
          const done = await rotateWebhookSecret(tx, vault, {
            applicationId,
            id: params.id,
            overlapSeconds: body.overlap_seconds,
            now,
          });
          if (done === null) throw httpErrors('not_found');
          await audit(tx, context, { target: params.id });
          await appendUpdated(tx, context, ['webhooks']);
          return { ...((await findShownWebhook(tx, applicationId, params.id)) ?? done.webhook), secret: done.secret };
        });
        return { status: 200, body: shape(rotated, applicationId) };
      },
    }),
  ];
}
