import { readScalar } from '../services/index.ts';
import { byBody, counted, seconds, word } from './reading.ts';
import type { Scheme } from './scheme.ts';

/** How each service proves that a message is its own, and what the message says. Checked against the services' documentation and examples. */
export const schemes = {
  slack: {
    title: 'Slack',
    secretName: 'Signing Secret',
    documentation: 'https://api.slack.com/authentication/verifying-requests-from-slack',
    proof: {
      kind: 'signature',
      headers: ['x-slack-signature'],
      prefix: 'v0=',
      encoding: 'hex',
      time: { read: seconds('x-slack-request-timestamp'), toleranceSeconds: 300 },
      signed: ({ body }, time) => [`v0:${time}:`, body],
    },
    secretMembers: ['token', 'response_url', 'response_urls'],
    challenge: (payload) => (readScalar(payload, '/type') === 'url_verification' ? word(readScalar(payload, '/challenge')) : null),
    read: (payload, request) => {
      const eventId = word(readScalar(payload, '/event_id'));
      const team = readScalar(payload, '/authorizations/0/team_id') ?? readScalar(payload, '/team_id') ?? readScalar(payload, '/team/id');
      const user = readScalar(payload, '/authorizations/0/user_id') ?? readScalar(payload, '/user_id') ?? readScalar(payload, '/user/id');
      return {
        type: word(readScalar(payload, '/event/type') ?? readScalar(payload, '/command') ?? readScalar(payload, '/type')),
        deliveryId: eventId,
        once: eventId ?? byBody(request),
        concerned: team === undefined ? {} : { ...(user === undefined ? {} : { firstOf: [`${team}/${user}`] }), soleBelow: team },
      };
    },
  },
  github: {
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
  },
} as const satisfies Readonly<Record<string, Scheme>>;

export type SchemeId = keyof typeof schemes;
export const schemeIds = Object.keys(schemes) as [SchemeId, ...SchemeId[]];

/** Services of the catalogue whose scheme has another name. */
const SCHEME_OF_SERVICE: Readonly<Record<string, string>> = { gdrive: 'google' };

/** The scheme that a service's messages follow unless its owner says otherwise; null where none is known. */
export function schemeOfService(service: string): SchemeId | null {
  const id = SCHEME_OF_SERVICE[service] ?? service;
  return schemeIds.find((each) => each === id) ?? null;
}
