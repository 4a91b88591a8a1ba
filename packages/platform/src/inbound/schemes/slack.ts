import { readScalar } from '../../services/index.ts';
import { byBody, seconds, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

export const slack: Scheme = {
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
};
