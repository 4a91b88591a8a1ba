import type { EventPage } from '@bulkhead/protocol';
import { z } from 'zod';
import type { StoredEvent } from './event.ts';

const moment = z
  .string()
  .max(40)
  .transform((text) => new Date(text))
  .refine((date) => !Number.isNaN(date.getTime()), 'expected a time such as 2026-01-31T12:00:00Z');

export const eventQuery = z.object({
  cursor: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'The `cursor` of the last answer; left out or `after-auth`: from the oldest event that is kept.' }),
  from: moment.optional().meta({ description: 'Not earlier than this.' }),
  until: moment.optional().meta({ description: 'Earlier than this.' }),
  page_size: z.coerce.number().int().min(1).max(1000).default(100).meta({ description: 'Objects per page, 1 to 1000.' }),
});

/** An event as everybody outside sees it. */
export function eventShape(event: StoredEvent): EventPage['objects'][number] {
  const at = event.at.toISOString();
  return {
    id: event.eventId,
    type: event.type,
    account: event.accountId,
    created: at,
    modified: at,
    data: { ...event.data },
    api: 'events',
  };
}
