import { readJsonPointer } from '../../services/index.ts';
import type { Scheme } from '../scheme.ts';

const ACCOUNTS_MAX = 1_000;

/** A bell: it says whose files changed, and every ring of one account is the same to the byte. */
export const dropbox: Scheme = {
  title: 'Dropbox',
  secretName: 'App secret',
  documentation: 'https://www.dropbox.com/developers/reference/webhooks',
  proof: {
    kind: 'signature',
    headers: ['x-dropbox-signature'],
    encoding: 'hex',
    time: null,
    signed: ({ body }) => [body],
  },
  read: (payload) => {
    const accounts = readJsonPointer(payload, '/list_folder/accounts');
    return {
      type: Array.isArray(accounts) ? 'list_folder' : null,
      deliveryId: null,
      once: null,
      concerned: { allOf: Array.isArray(accounts) ? accounts.filter((id) => typeof id === 'string').slice(0, ACCOUNTS_MAX) : [] },
    };
  },
};
