import { readScalar } from '../../services/index.ts';
import { byBody, counted, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

export const github: Scheme = {
  title: 'GitHub',
  secretName: 'webhook secret',
  documentation: 'https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries',
  proof: {
    kind: 'signature',
    headers: ['x-hub-signature-256'],
    prefix: 'sha256=',
    encoding: 'hex',
    time: null,
    signed: ({ body }) => [body],
  },
  read: (payload, request) => ({
    type: word(request.header('x-github-event')),
    deliveryId: word(request.header('x-github-delivery')),
    // Its id is not signed: with another one beside it a captured message would pass for new.
    once: byBody(request),
    concerned: {
      firstOf: counted([
        readScalar(payload, '/installation/account/id'),
        readScalar(payload, '/repository/owner/id'),
        readScalar(payload, '/organization/id'),
        readScalar(payload, '/sender/id'),
      ]),
    },
  }),
};
