import { word } from '../reading.ts';
import type { InboundRequest, Scheme } from '../scheme.ts';

/** What a notification says: all of it stands in headers. */
const CONTENT = {
  channel_id: 'x-goog-channel-id',
  channel_expiration: 'x-goog-channel-expiration',
  message_number: 'x-goog-message-number',
  resource_id: 'x-goog-resource-id',
  resource_uri: 'x-goog-resource-uri',
  resource_state: 'x-goog-resource-state',
  changed: 'x-goog-changed',
} as const;

/**
 * Nothing is signed: the token of a channel is sent back as it was given. The id of a channel is the company's to choose, so it can name
 * the account: `1234-` and anything behind it.
 */
export const google: Scheme = {
  title: 'Google (Drive, Calendar and other channels)',
  secretName: 'the token that you give a channel',
  documentation: 'https://developers.google.com/workspace/drive/api/guides/push',
  proof: { kind: 'token', header: 'x-goog-channel-token' },
  content: (body, { header }) => ({ ...Object.fromEntries(Object.entries(CONTENT).map(([name, from]) => [name, header(from)])), body }),
  read: (_payload, request) => {
    const number = deliveryOf(request);
    const account = /^([1-9][0-9]{0,15})-/.exec(request.header('x-goog-channel-id') ?? '')?.[1];
    return {
      type: word(request.header('x-goog-resource-state')),
      deliveryId: number,
      once: number,
      concerned: account === undefined ? {} : { accountId: Number(account) },
    };
  },
};

function deliveryOf({ header }: InboundRequest): string | null {
  const channel = header('x-goog-channel-id');
  const number = header('x-goog-message-number');
  return channel === null || number === null ? null : word(`${channel}:${number}`);
}
