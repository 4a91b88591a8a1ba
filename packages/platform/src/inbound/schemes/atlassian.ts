import { readScalar } from '../../services/index.ts';
import { byBody, counted, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

export const atlassian: Scheme = {
  title: 'Atlassian (Jira, Bitbucket)',
  secretName: 'Secret of the webhook',
  documentation: 'https://developer.atlassian.com/cloud/jira/platform/webhooks/',
  proof: {
    kind: 'signature',
    headers: ['x-hub-signature'],
    prefix: 'sha256=',
    encoding: 'hex',
    time: null,
    signed: ({ body }) => [body],
  },
  read: (payload, request) => ({
    type: word(readScalar(payload, '/webhookEvent') ?? request.header('x-event-key')),
    deliveryId: word(request.header('x-atlassian-webhook-identifier') ?? request.header('x-request-uuid')),
    once: byBody(request),
    concerned: {
      firstOf: counted([
        readScalar(payload, '/user/accountId'),
        readScalar(payload, '/comment/author/accountId'),
        readScalar(payload, '/actor/account_id'),
      ]),
    },
  }),
};
