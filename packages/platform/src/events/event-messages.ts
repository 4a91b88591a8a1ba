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

const eventAnswer = z.object({
  id: z.string(),
  type: z.string().meta({ description: 'See docs/reference/events.md.' }),
  account: z.int().nullable().meta({ description: 'Null: it concerns the whole Application.' }),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()),
  api: z.literal('events'),
});

export const eventPage = z.object({
  count: z.int(),
  cursor: z.string().meta({ description: 'Ask with it for what comes after. Where `objects` is empty it is the one you gave.' }),
  remaining: z.int().meta({ description: 'Events after this page; 10,000 stands for that many or more.' }),
  objects: z.array(eventAnswer),
  type: z.literal('object_list'),
  api: z.literal('events'),
});

export const latestAnswer = z.object({ cursor: z.string() });

/** An event as everybody outside sees it. */
export function eventShape(event: StoredEvent): z.input<typeof eventAnswer> {
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
