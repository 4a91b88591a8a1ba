import type { ApplicationId, Clock } from '@bulkhead/base';
import { type AnyRoute, type Egress, httpErrors, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { type Delivery, listDeliveries, replayDeliveries, replayDelivery, sendSigned } from '../deliveries/index.ts';
import type { Vault } from '../vault/index.ts';
import { newTestMessage, webhookEndpoint } from './webhook-endpoint.ts';
import { webhookErrors } from './webhook-errors.ts';
import { findShownWebhook } from './webhook-shape.ts';
import { openWebhooks } from './webhook-store.ts';

const attemptAnswer = z.object({
  at: z.iso.datetime(),
  elapsed_ms: z.number(),
  status: z.number().nullable().meta({ description: 'Null: no answer came.' }),
  failure: z.string().nullable().meta({
    description: 'Null: accepted. Else `http_500`, `timeout`, `unreachable`, `refused` (an address that may not be called), `wrong_echo`…',
  }),
  excerpt: z.string().nullable().meta({ description: "The beginning of the answer's body." }),
});

const deliveryAnswer = z.object({
  id: z.string(),
  webhook_id: z.string(),
  message_id: z.string().meta({ description: 'The `webhook-id`: the same on each attempt, and the id of the event.' }),
  event: z.string(),
  status: z.enum(['pending', 'delivered', 'failed', 'cancelled']),
  attempts: z.number().meta({ description: 'Since it was written or last replayed.' }),
  log: z.array(attemptAnswer),
  next_attempt: z.iso.datetime().nullable(),
  created: z.iso.datetime(),
  finished: z.iso.datetime().nullable(),
  type: z.literal('delivery'),
  api: z.literal('meta'),
  href: z.string(),
});

const testAnswer = z.object({ delivered: z.boolean(), attempt: attemptAnswer, type: z.literal('webhook_test'), api: z.literal('meta') });
const replayAnswer = z.object({
  replayed: z.number(),
  remaining: z.boolean().meta({ description: 'True: there are more; call again with `next_since`.' }),
  next_since: z.iso.datetime().nullable().meta({ description: 'The `since` of the next call; null: nothing is left.' }),
  type: z.literal('replay'),
  api: z.literal('meta'),
});

const statuses = z.array(z.enum(['delivered', 'failed', 'cancelled'])).min(1);
const range = z.strictObject({
  since: z.iso.datetime({ offset: true }).meta({ description: 'Of the event; itself included.' }),
  until: z.iso.datetime({ offset: true }).optional().meta({ description: 'Itself excluded. Default: now.' }),
  statuses: statuses.default(['failed']),
});

/** What one call replays at most. */
const REPLAYED_MAX = 1_000;

const below = '/v1/meta/applications/{application_id}/webhooks/{id}';
const one = z.object({ application_id: z.string(), id: z.string().max(100) });

/** What was sent to a webhook: a test now, the log, and sending again. */
export function webhookDeliveryRoutes({
  db,
  vault,
  egress,
  clock,
  publicUrl,
}: {
  db: Database;
  vault: Vault;
  egress: Egress;
  clock: Clock;
  publicUrl: () => string;
}): AnyRoute[] {
  const shape = (row: Delivery, applicationId: ApplicationId) => ({
    id: row.deliveryId,
    webhook_id: row.endpointId,
    message_id: row.messageId,
    event: row.subject,
    status: row.status,
    attempts: row.attempts,
    log: [...row.log],
    next_attempt: row.nextAttemptAt?.toISOString() ?? null,
    created: row.createdAt.toISOString(),
    finished: row.finishedAt?.toISOString() ?? null,
    type: 'delivery' as const,
    api: 'meta' as const,
    href: `${publicUrl()}/v1/meta/applications/${applicationId}/webhooks/${row.endpointId}/deliveries`,
  });
  return [
    route({
      id: 'webhook.test',
      method: 'POST',
      path: `${below}/test`,
      summary: 'Send a test to a webhook and answer what came of it',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webhook.tested',
      params: one,
      answers: { 200: testAnswer },
      handler: async (context, { params: { id } }) => {
        const { applicationId, now } = context;
        const opened = await db.withTenant(applicationId, async (tx) => {
          const found = (await openWebhooks(tx, vault, { applicationId, ids: [id], now })).get(id);
          if (found === undefined) throw httpErrors('not_found');
          await audit(tx, context, { target: id });
          return found;
        });
        const message = newTestMessage({ applicationId, format: opened.webhook.format, now });
        const endpoint = webhookEndpoint(applicationId, opened);
        const { attempt } = await sendSigned({ egress, clock }, { applicationId, policy: 'webhook', endpoint, message });
        return { status: 200, body: { delivered: attempt.failure === null, attempt, type: 'webhook_test', api: 'meta' } };
      },
    }),
    route({
      id: 'webhook.deliveries',
      method: 'GET',
      path: `${below}/deliveries`,
      summary: 'List what was sent to a webhook, the newest first',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: one,
      query: z.object({ ...pageQuery, status: deliveryAnswer.shape.status.optional() }),
      answers: { 200: objectList(deliveryAnswer) },
      handler: async (context, { params: { id }, query }) => {
        const { applicationId } = context;
        const page = await db.withTenant(applicationId, async (tx) => {
          if ((await findShownWebhook(tx, applicationId, id)) === null) throw httpErrors('not_found');
          return listDeliveries(tx, applicationId, id, query);
        });
        if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
        return { status: 200, body: listAnswer(page, query, 'meta', (row) => shape(row, applicationId)) };
      },
    }),
    route({
      id: 'webhook.replay_delivery',
      method: 'POST',
      path: `${below}/deliveries/{delivery_id}/replay`,
      summary: 'Send one delivery again: same id, same body',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webhook.replayed',
      params: one.extend({ delivery_id: z.string().max(100) }),
      answers: { 202: deliveryAnswer },
      handler: async (context, { params: { id, delivery_id: deliveryId } }) => {
        const { applicationId, now } = context;
        const row = await db.withTenant(applicationId, async (tx) => {
          const replayed = await replayDelivery(tx, { applicationId, endpointId: id, deliveryId, now });
          if (replayed === null) throw httpErrors('not_found');
          await requireActive(tx, applicationId, id);
          await audit(tx, context, { target: id, detail: { delivery_id: deliveryId } });
          return replayed;
        });
        return { status: 202, body: shape(row, applicationId) };
      },
    }),
    route({
      id: 'webhook.replay',
      method: 'POST',
      path: `${below}/replay`,
      summary: 'Send again what was sent, or given up, in a span of time',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webhook.replayed',
      params: one,
      body: range,
      answers: { 202: replayAnswer },
      handler: async (context, { params: { id }, body }) => {
        const { applicationId, now } = context;
        const since = new Date(body.since);
        const until = body.until === undefined ? now : new Date(body.until);
        const { replayed, last } = await db.withTenant(applicationId, async (tx) => {
          await requireActive(tx, applicationId, id);
          const done = await replayDeliveries(tx, {
            applicationId,
            endpointId: id,
            since,
            until,
            statuses: body.statuses,
            limit: REPLAYED_MAX,
            now,
          });
          await audit(tx, context, {
            target: id,
            detail: { since: since.toISOString(), until: until.toISOString(), replayed: done.replayed },
          });
          return done;
        });
        const remaining = replayed === REPLAYED_MAX;
        return {
          status: 202,
          body: { replayed, remaining, next_since: remaining ? (last?.toISOString() ?? null) : null, type: 'replay', api: 'meta' },
        };
      },
    }),
  ];
}

async function requireActive(tx: Tx, applicationId: ApplicationId, id: string): Promise<void> {
  const webhook = await findShownWebhook(tx, applicationId, id);
  if (webhook === null) throw httpErrors('not_found');
  if (!webhook.active || webhook.health?.stoppedAt != null) throw webhookErrors('webhook.inactive');
}
