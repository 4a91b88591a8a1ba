import { readJsonPointer, readScalar } from '../../services/index.ts';
import { byBody, counted, inUnits, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

/** What HubSpot signs of an address stands there decoded, these characters and no others. */
const DECODED = /%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi;
const EVENTS_MAX = 1_000;

export const hubspot: Scheme = {
  title: 'HubSpot',
  secretName: 'client secret of the app',
  documentation: 'https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation',
  proof: {
    kind: 'signature',
    headers: ['x-hubspot-signature-v3'],
    encoding: 'base64',
    time: { read: ({ header }) => inUnits(header('x-hubspot-request-timestamp'), 1), toleranceSeconds: 300 },
    signed: ({ method, url, body }, time) => [method, url.replaceAll(DECODED, decodeURIComponent), body, time],
  },
  read: (payload, request) => {
    const events = Array.isArray(payload) ? payload.slice(0, EVENTS_MAX) : [payload];
    return {
      type: word(readScalar(events[0], '/subscriptionType')),
      deliveryId: events.length === 1 ? word(readScalar(payload, Array.isArray(payload) ? '/0/eventId' : '/eventId')) : null,
      // Each attempt has another number in it, and nothing else is new.
      once: Array.isArray(payload) ? JSON.stringify(payload.map(withoutAttempt)) : byBody(request),
      concerned: { allOf: [...new Set(counted(events.map((event) => readScalar(event, '/portalId'))))] },
    };
  },
};

function withoutAttempt(event: unknown): unknown {
  return readJsonPointer(event, '/attemptNumber') === undefined ? event : { ...(event as object), attemptNumber: null };
}
