import { readScalar } from '../../services/index.ts';
import { byBody, counted, inUnits, word } from '../reading.ts';
import type { InboundRequest, Scheme } from '../scheme.ts';

const HEADER = 'stripe-signature';

/** `t=1492774577,v1=…,v1=…,v0=…`: a time, and a signature by each secret that is live at Stripe. */
function fieldsOf(text: string): readonly string[] {
  return text.split(',').map((field) => field.trim());
}

/** The one `t`. */
function timeOf({ header }: InboundRequest): { text: string; ms: number } | null {
  const times = fieldsOf(header(HEADER) ?? '').filter((field) => field.startsWith('t='));
  return times.length === 1 ? inUnits(times[0]?.slice(2), 1_000) : null;
}

export const stripe: Scheme = {
  title: 'Stripe',
  secretName: 'signing secret of the endpoint (whsec_…)',
  documentation: 'https://docs.stripe.com/webhooks/signature',
  proof: {
    kind: 'signature',
    headers: [HEADER],
    split: fieldsOf,
    prefix: 'v1=',
    encoding: 'hex',
    time: { read: timeOf, toleranceSeconds: 300 },
    signed: ({ body }, time) => [`${time}.`, body],
  },
  // With it a payment can be completed.
  secretMembers: ['client_secret'],
  read: (payload, request) => {
    const id = word(readScalar(payload, '/id'));
    return {
      type: word(readScalar(payload, '/type')),
      deliveryId: id,
      once: id ?? byBody(request),
      concerned: { firstOf: counted([readScalar(payload, '/account'), readScalar(payload, '/context')]) },
    };
  },
};
