import { readScalar } from '../../services/index.ts';
import { byBody, counted, word } from '../reading.ts';
import type { Scheme } from '../scheme.ts';

/** Nothing is signed: whoever has seen one message has the token, and can send others. */
export const gitlab: Scheme = {
  title: 'GitLab',
  secretName: 'Secret token',
  documentation: 'https://docs.gitlab.com/user/project/integrations/webhooks/#validate-requests-by-using-a-secret-token',
  proof: { kind: 'token', header: 'x-gitlab-token' },
  read: (payload, request) => {
    const again = word(request.header('idempotency-key'));
    return {
      type: word(readScalar(payload, '/object_kind') ?? readScalar(payload, '/event_name')),
      deliveryId: again ?? word(request.header('x-gitlab-event-uuid')),
      once: again ?? byBody(request),
      concerned: { firstOf: counted([readScalar(payload, '/user_id'), readScalar(payload, '/user/id')]) },
    };
  },
};
