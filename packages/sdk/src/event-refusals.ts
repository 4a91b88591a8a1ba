import { defineErrors } from '@bulkhead/base';

const refusals = {
  'events.refused': { status: 401, wire: 'unauthorized', text: 'The API key or token is unknown, ended, or may not read events.' },
  'events.not_found': { status: 404, wire: 'not_found', text: 'There is no such account or cursor for this credential.' },
  'events.unavailable': { status: 502, wire: 'bad_gateway', text: 'Events could not be read: {problem}.' },
} as const;

/** Why events were not read. Branch on it: `error.code`; only `events.unavailable` may pass by itself. */
export type EventRefusal = keyof typeof refusals;

export const eventRefusals = defineErrors<EventRefusal>(refusals);
