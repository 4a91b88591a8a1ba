import { z } from 'zod';

/** An event as everybody outside sees it. */
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
export type EventPage = z.output<typeof eventPage>;

export const latestEventCursor = z.object({ cursor: z.string() });
