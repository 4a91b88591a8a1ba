import { Secret } from '@bulkhead/base';
import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import type { ApplicationId } from '@bulkhead/base';
import { route } from '../access/index.ts';
import { appendUpdated, childRoutes, findService } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { inboundErrors } from './inbound-errors.ts';
import { inboundWebhookAnswer, inboundWebhookBody, inboundWebhookChanges, inboundWebhookShape } from './inbound-messages.ts';
import {
  addInboundWebhook,
  changeInboundWebhook,
  deleteInboundWebhook,
  findInboundWebhook,
  type InboundWebhook,
  listInboundWebhooks,
} from './inbound-webhook-store.ts';
import { type SchemeId, schemeIds, schemeOfService } from './schemes.ts';

/** Which services may report to an Application, and by which secret they are known. */
export function inboundWebhookRoutes({ db, vault, publicUrl }: { db: Database; vault: Vault; publicUrl: () => string }): AnyRoute[] {
  return [
    ...childRoutes<InboundWebhook, typeof inboundWebhookBody, typeof inboundWebhookAnswer>(db, {
      paths: ['inbound_webhooks'],
      noun: 'inbound_webhook',
      title: 'inbound webhook',
      body: inboundWebhookBody,
      answer: inboundWebhookAnswer,
      list: listInboundWebhooks,
      find: findInboundWebhook,
      add: async (tx, { applicationId, now }, body) =>
        addInboundWebhook(
          tx,
          vault,
          applicationId,
          {
            service: body.service,
            scheme: await schemeFor(tx, applicationId, body),
            secret: new Secret(body.secret),
            secondarySecret: body.secondary_secret == null ? null : new Secret(body.secondary_secret),
          },
          now,
        ),
      remove: (tx, applicationId, row) => deleteInboundWebhook(tx, applicationId, row.inboundWebhookId),
      idOf: (row) => row.inboundWebhookId,
      shape: (row, applicationId) => inboundWebhookShape(row, applicationId, publicUrl()),
    }),
    route({
      id: 'inbound_webhook.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/inbound_webhooks/{id}',
      summary: 'Change an inbound webhook, for instance its secret',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'inbound_webhook.updated',
      params: z.object({ application_id: z.string(), id: z.string().max(100) }),
      body: inboundWebhookChanges,
      answers: { 200: inboundWebhookAnswer },
      handler: async (context, { params: { id }, body }) => {
        const { applicationId, now } = context;
        const row = await db.withTenant(applicationId, async (tx) => {
          const changed = await changeInboundWebhook(
            tx,
            vault,
            { applicationId, id, now },
            {
              scheme: body.scheme,
              secret: body.secret === undefined ? undefined : new Secret(body.secret),
              secondarySecret: body.secondary_secret == null ? body.secondary_secret : new Secret(body.secondary_secret),
            },
          );
          if (changed === null) throw httpErrors('not_found');
          await audit(tx, context, { target: id, detail: { fields: Object.keys(body) } });
          await appendUpdated(tx, context, ['inbound_webhooks']);
          return changed;
        });
        return { status: 200, body: inboundWebhookShape(row, applicationId, publicUrl()) };
      },
    }),
  ];
}

/** A service of this Application, or one that has a scheme of its own and no accounts here. */
async function schemeFor(
  tx: Tx,
  applicationId: ApplicationId,
  { service, scheme }: { readonly service: string; readonly scheme?: SchemeId | undefined },
): Promise<SchemeId> {
  const own = schemeOfService(service);
  if (own === null && (await findService(tx, applicationId, service)) === null)
    throw inboundErrors('inbound_webhook.unknown_service', { params: { service }, field: 'service' });
  const chosen = scheme ?? own;
  if (chosen !== null) return chosen;
  throw inboundErrors('inbound_webhook.scheme_needed', { params: { service, schemes: schemeIds.join(', ') }, field: 'scheme' });
}
