import { readScalar } from '../../services/index.ts';
import { byBody, counted, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

/** RFC 3339 §5.6. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

export const box: Scheme = {
  title: 'Box',
  secretName: 'primary and secondary signature key',
  documentation: 'https://developer.box.com/guides/webhooks/v2/signatures-v2',
  proof: {
    kind: 'signature',
    headers: ['box-signature-primary', 'box-signature-secondary'],
    encoding: 'base64',
    time: {
      read: ({ header }) => {
        const text = header('box-delivery-timestamp');
        const ms = text !== null && TIME.test(text) ? Date.parse(text) : Number.NaN;
        return text === null || Number.isNaN(ms) ? null : { text, ms };
      },
      toleranceSeconds: 600,
    },
    signed: ({ body }, time) => [body, time],
  },
  read: (payload, request) => {
    // The id in the body stays the same on every attempt; the one in the header does not.
    const id = word(readScalar(payload, '/id'));
    return {
      type: word(readScalar(payload, '/trigger')),
      deliveryId: id,
      once: id ?? byBody(request),
      concerned: { firstOf: counted([readScalar(payload, '/source/owned_by/id'), readScalar(payload, '/created_by/id')]) },
    };
  },
};
