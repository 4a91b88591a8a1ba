import { type AnyRoute, readBytes } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { onlyHeader } from './only-header.ts';
import { receiveMessage, type ReceivingParts } from './receive-message.ts';
import type { InboundRequest } from './scheme.ts';

const BODY_LIMIT = { bytes: 1024 * 1024, ms: 10_000 } as const;
const PLAIN = { 'content-type': 'text/plain; charset=utf-8', 'content-security-policy': "default-src 'none'" } as const;

/** Where services report. Anybody may call, so a caller is believed by the message's own proof or not at all. */
export function receiveRoutes(parts: ReceivingParts & { readonly publicUrl: () => string }): AnyRoute[] {
  const path = '/v1/inbound/{application_id}/{service}';
  const params = z.object({ application_id: z.string(), service: z.string() });
  return [
    route({
      id: 'inbound.receive',
      method: 'POST',
      path,
      summary: 'Receive a webhook of a service: verified by its signature, kept, appended to the event log. A hand-shake is answered',
      credentials: [],
      scope: null,
      rateClass: 'inbound',
      audit: null,
      bodyForm: 'stream',
      // Services know no such key; what was delivered once is known by itself.
      idempotent: false,
      params,
      answers: { 200: null },
      handler: async (context, { params: { application_id: named, service }, raw }) => {
        const body = await readBytes(raw.message, BODY_LIMIT);
        const request: InboundRequest = {
          method: raw.message.method ?? 'POST',
          url: parts.publicUrl() + raw.target,
          header: (name) => onlyHeader(raw, name),
          body,
        };
        const challenge = await receiveMessage(parts, { named, service, request, now: context.now });
        return challenge === null ? { status: 200 } : { status: 200, body: challenge, headers: PLAIN };
      },
    }),
    route({
      id: 'inbound.challenge',
      method: 'GET',
      path,
      summary: 'Answer the hand-shake by which a service (Dropbox) makes sure of an address: the challenge, as it came',
      credentials: [],
      scope: null,
      rateClass: 'inbound',
      audit: null,
      params,
      query: z.object({ challenge: z.string().regex(/^[\w.~+/=-]{1,256}$/, 'expected a challenge') }),
      answers: { 200: null },
      // The same for every address: nothing is looked up, so nothing is told.
      handler: async (_context, { query }) => ({ status: 200, body: query.challenge, headers: PLAIN }),
    }),
  ];
}
