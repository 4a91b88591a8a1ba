import { type AnyRoute, httpErrors, listAnswer, objectList, pageQuery } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';
import { listInboundMessages, openInboundMessage } from './inbound-message-store.ts';
import { listedMessageAnswer, listedMessageShape, messageAnswer } from './inbound-messages.ts';

/** What services have told an Application: an event names the message, here is what it says. */
export function inboundMessageRoutes({ db, vault }: { db: Database; vault: Vault }): AnyRoute[] {
  return [
    route({
      id: 'inbound_message.list',
      method: 'GET',
      path: '/v1/inbound_messages',
      summary: 'List the messages that services have sent, the newest first, without their content',
      credentials: ['api_key'],
      scope: null,
      rateClass: 'api',
      audit: null,
      query: z.object({
        ...pageQuery,
        service: z.string().max(63).optional(),
        account: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional().meta({ description: 'Those of one account.' }),
      }),
      answers: { 200: objectList(listedMessageAnswer) },
      handler: async ({ applicationId, now }, { query }) => {
        const { service, account: accountId } = query;
        const page = await db.withTenant(applicationId, (tx) =>
          listInboundMessages(tx, { applicationId, now }, { service, accountId }, query),
        );
        return { status: 200, body: listAnswer(page, query, 'events', listedMessageShape) };
      },
    }),
    route({
      id: 'inbound_message.get',
      method: 'GET',
      path: '/v1/inbound_messages/{message_id}',
      summary: 'Read a message that a service has sent',
      credentials: ['api_key'],
      scope: null,
      rateClass: 'api',
      audit: null,
      params: z.object({ message_id: z.string().max(100) }),
      answers: { 200: messageAnswer },
      handler: async ({ applicationId, now }, { params: { message_id: messageId } }) => {
        const message = await db.withTenant(applicationId, (tx) => openInboundMessage(tx, vault, { applicationId, messageId, now }));
        if (message === null) throw httpErrors('not_found');
        return { status: 200, body: { ...listedMessageShape(message), payload: message.payload } };
      },
    }),
  ];
}
