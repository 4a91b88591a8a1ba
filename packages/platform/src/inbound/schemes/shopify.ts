import { readScalar } from '../../services/index.ts';
import { byBody, counted, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

export const shopify: Scheme = {
  title: 'Shopify',
  secretName: 'client secret of the app',
  documentation: 'https://shopify.dev/docs/apps/build/webhooks/subscribe/https',
  proof: {
    kind: 'signature',
    headers: ['x-shopify-hmac-sha256'],
    encoding: 'base64',
    time: null,
    signed: ({ body }) => [body],
  },
  read: (payload, request) => {
    const topic = word(request.header('x-shopify-topic'));
    return {
      type: topic,
      deliveryId: word(request.header('x-shopify-webhook-id')),
      // One order can be the whole body of several topics, and the topic is not signed.
      once: `${byBody(request)} ${topic ?? ''}`,
      concerned: {
        firstOf: counted([
          readScalar(payload, '/shop_domain'),
          readScalar(payload, '/myshopify_domain'),
          word(request.header('x-shopify-shop-domain')) ?? undefined,
        ]),
      },
    };
  },
};
