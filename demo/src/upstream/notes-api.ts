import { createServer, type Server } from 'node:http';
import { createHash, timingSafeEqual } from 'node:crypto';
import { sendJson } from './http-answers.ts';

export interface NotesAccount {
  readonly key: string;
  readonly id: string;
  readonly name: string;
}

/** One key per customer of the demo. They open made-up notes and nothing else. */
export const demoNotesAccounts: readonly NotesAccount[] = [
  { key: 'lantern-demo-key-alder', id: 'alder', name: 'Alder Logistics' },
  { key: 'lantern-demo-key-birch', id: 'birch', name: 'Birch Clinics' },
];

function sameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** Lantern Notes: `GET /notes` and `GET /me`, opened by the header `X-Api-Key`. */
export function createNotesServer(accounts: readonly NotesAccount[]): Server {
  return createServer((request, response) => {
    const key = request.headers['x-api-key'];
    const account = typeof key === 'string' ? accounts.find((candidate) => sameText(candidate.key, key)) : undefined;
    if (!account) return sendJson(response, 401, { error: 'unauthorized', message: 'The header X-Api-Key is missing or wrong.' });
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET') return sendJson(response, 405, { error: 'method_not_allowed' }, { allow: 'GET' });
    if (path === '/me') return sendJson(response, 200, { id: account.id, name: account.name });
    if (path === '/notes') {
      const notes = ['Call the supplier', 'Renew the lease'].map((text, index) => ({
        id: `${account.id}-${index + 1}`,
        text: `${text} (${account.name})`,
      }));
      return sendJson(response, 200, { notes });
    }
    return sendJson(response, 404, { error: 'not_found' });
  });
}
